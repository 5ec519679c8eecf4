#!/bin/sh
# Keeps the agent running that runs commands for the host: over vsock, and on the console ports that were made for it.
# The agent and its token lie beside this script.

directory=${0%/*}
agent=$directory/kagami-agent
token=$directory/token

# What has no token talks to nobody.
[ -s "$token" ] || exit 0

listen() {
    # 2 means that there is no vsock.
    while "$agent" "$token"; [ $? != 2 ]; do
        sleep 1
    done
}

serve() {
    # The agent ends with every connection, and at once while nobody is connected on the host's side.
    while :; do
        "$agent" "$token" - <>"$1" >&0
        sleep 1
    done
}

listen &
for name in /sys/class/virtio-ports/*/name; do
    case $(cat "$name" 2>/dev/null) in
        dev.kagami.agent.*)
            port=${name%/name}
            serve "/dev/${port##*/}" &
            ;;
    esac
done
wait
