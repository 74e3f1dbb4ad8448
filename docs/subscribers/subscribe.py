# python subscribe.py tcp://kitchen.local:5557 laptop.key          needs: pip install pyzmq
import json, sys, zmq

endpoint, *key_file = sys.argv[1:]
socket = zmq.Context().socket(zmq.SUB)
if key_file:  # none where it is not encrypted
    key = json.load(open(key_file[0]))
    socket.curve_serverkey = key["server"].encode()
    socket.curve_publickey = key["public"].encode()
    socket.curve_secretkey = key["secret"].encode()
socket.connect(endpoint)
socket.subscribe("emotion")
seq = None
while True:
    topic, body = socket.recv_multipart()
    message = json.loads(body)
    if message["seq"] != seq:  # else the last value, repeated for another subscriber
        seq = message["seq"]
        print(message["device"], message["emotion"], message["confidence"], flush=True)
