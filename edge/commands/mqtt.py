"""`emotion-edge mqtt forget`: take all that an MQTT broker keeps of this device off it."""

from contextlib import closing

from edge.commands.text import print_error, print_line
from edge.config import Config
from edge.devices.broker import Exchange, explain
from edge.errors import ExitCode
from edge.paths import make_directory
from edge.pipeline.mqtt import account, identity, retained_topics
from edge.runtime.process import single_instance


def forget(config: Config) -> int:
    """Returns the exit code. Raises ConfigError, also while the service runs: it would be back."""
    me = identity(config)
    wanted = account(config, me.device_id)
    make_directory(config.directory)
    with single_instance(config.directory, "mqtt"):
        try:
            exchange = Exchange(wanted)
        except OSError as error:
            print_error("mqtt", f"{wanted}: {explain(error)}; nothing is removed")
            return ExitCode.FAILED
        with closing(exchange):
            refused = exchange.login()
            topics = retained_topics(config, me)
            if refused or not all(exchange.publish(topic, b"", True) for topic in topics):
                print_error("mqtt", f"{wanted}: {refused or 'not acknowledged'}")
                return ExitCode.FAILED
    print_line(f"{len(topics)} topics of {me.base} are removed from {wanted}")
    return ExitCode.OK
