#!/bin/sh
# Called by udhcpc with what it has learned, in variables.

# What it gave before; addresses that others have set stay.
given=/run/dhcp.$interface

forget() {
    if [ -f "$given" ]; then
        ip address del "$(cat "$given")" dev "$interface"
        rm "$given"
    fi
}

case $1 in
    deconfig)
        forget
        ;;
    bound | renew)
        forget
        echo "$ip/${mask:-24}" >"$given"
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
