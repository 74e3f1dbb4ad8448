/* cc subscribe.c -o subscribe -lzmq && ./subscribe tcp://kitchen.local:5557 SERVER PUBLIC SECRET */
#include <stdio.h>
#include <zmq.h>

int main(int argc, char **argv) {
    void *socket = zmq_socket(zmq_ctx_new(), ZMQ_SUB);
    char topic[64], body[65536];
    if (argc == 5) { /* the three keys in laptop.key; none where it is not encrypted */
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, argv[2], 40);
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, argv[3], 40);
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, argv[4], 40);
    }
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "emotion", 7);
    if (argc < 2 || zmq_connect(socket, argv[1])) return perror("connect"), 1;
    while (zmq_recv(socket, topic, sizeof topic, 0) >= 0) {
        int size = zmq_recv(socket, body, sizeof body, 0);
        printf("%.*s\n", size < (int) sizeof body ? size : (int) sizeof body, body);
        fflush(stdout);
    }
}
