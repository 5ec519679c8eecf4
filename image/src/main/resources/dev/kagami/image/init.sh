#!/bin/sh
# PID 1 of Kagami's default guest: sets the machine up, runs a session on the console, and powers off when it ends.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin

/bin/busybox mount -t proc -o nosuid,nodev,noexec proc /proc
/bin/busybox mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
/bin/busybox mount -t devtmpfs -o nosuid,mode=0755 devtmpfs /dev
/bin/busybox mkdir -p /dev/pts /dev/shm
/bin/busybox mount -t devpts -o nosuid,noexec,gid=5,mode=0620,ptmxmode=0666 devpts /dev/pts
/bin/busybox mount -t tmpfs -o nosuid,nodev tmpfs /dev/shm
/bin/busybox mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs /run
/bin/busybox mount -t tmpfs -o nosuid,nodev tmpfs /tmp

# Links for all commands, made here because which there are is known to busybox alone.
/bin/busybox --install -s

# From here on the console is the session's; dmesg still shows everything.
dmesg -n 1
hostname -F /etc/hostname
ip link set lo up

# Drivers for what is there. The PCI devices' drivers bring the virtio devices to light.
for alias in /sys/bus/pci/devices/*/modalias /sys/bus/acpi/devices/QEMU0001:*/modalias; do
    modprobe -q "$(cat "$alias")"
done
for alias in /sys/bus/virtio/devices/*/modalias; do
    [ -f "$alias" ] && modprobe -q "$(cat "$alias")"
done

# Runs commands for the host.
/etc/kagami/serve &

# An address for every network card, from who gives them out there; tried in the background until there is one.
for card in /sys/class/net/eth*; do
    if [ -d "$card" ]; then
        ip link set "${card##*/}" up
        udhcpc -b -q -i "${card##*/}" -s /etc/kagami/dhcp >/dev/null 2>&1 &
    fi
done

# How busybox's poweroff, halt and reboot tell PID 1.
finish() {
    trap '' USR1 USR2 TERM
    sync
    "$1" -f
}
trap 'finish halt' USR1
trap 'finish poweroff' USR2
trap 'finish reboot' TERM

# The host's power button. An event is 24 bytes long (struct input_event), the first one tells of the press.
modprobe -q button
modprobe -q evdev
for name in /sys/class/input/event*/device/name; do
    if [ "$(cat "$name" 2>/dev/null)" = "Power Button" ]; then
        event=${name%/device/name}
        { dd if="/dev/input/${event##*/}" of=/dev/null bs=24 count=1 2>/dev/null && poweroff; } &
    fi
done

# A session of its own, with the console as its controlling terminal: job control needs one. Not as a background job of
# this shell, which would make it and everything in it deaf to Ctrl-C. It ends with a poweroff.
start-stop-daemon -S -b -p /run/kagami-session.pid -x /bin/busybox -- setsid cttyhack /bin/sh /etc/kagami/session

# The shell hears signals in wait only, where it also reaps orphans. The loop ends if the session was killed.
while sleep 60 & wait $!; do
    kill -0 "$(cat /run/kagami-session.pid)" 2>/dev/null || break
done
finish poweroff
