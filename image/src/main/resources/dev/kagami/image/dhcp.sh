#!/bin/sh
# Called by udhcpc with what it has learned, in variables.

case $1 in
    deconfig)
        ip -4 address flush dev "$interface"
        ip link set "$interface" up
        ;;
    bound | renew)
        ip -4 address flush dev "$interface"
        ip address add "$ip/${mask:-24}" dev "$interface"
        for gateway in $router; do
            ip route replace default via "$gateway" dev "$interface"
            break
        done
        for server in $dns; do
            echo "nameserver $server"
        done >/etc/resolv.conf
        ;;
esac
