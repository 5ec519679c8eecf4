# Runs inside a guest as its first process, or on a host: each workload that $WORKLOADS names, for about $SECONDS_EACH
# seconds, and prints "@result NAME VALUE". What a value counts is in Workload.java. $IN_GUEST is 1 in a guest.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

if [ "$IN_GUEST" = 1 ]; then
    mount -t proc proc /proc 2>/dev/null
    mount -t sysfs sysfs /sys 2>/dev/null
    mount -t tmpfs tmpfs /tmp
    # The kernel's own messages must not cut a result in two.
    dmesg -n 1
fi
directory=$(mktemp -d)
cd "$directory" || exit 1
disk_directory=$(mktemp -d -p /var/tmp)

openssl_speed() { openssl speed -seconds "$SECONDS_EACH" "$@" 2>/dev/null | tail -n 1; }

# What "openssl speed" prints is thousands of bytes a second.
megabytes() { awk '{ sub("k", "", $NF); print $NF / 1000 }'; }

# Calls the command in $1 until the time is up, and prints calls a second.
calls_a_second() {
    python3 - "$SECONDS_EACH" "$1" <<'END'
import subprocess, sys, time
seconds, command = float(sys.argv[1]), sys.argv[2]
subprocess.run(["sh", "-c", command], check=True)
calls, start = 0, time.monotonic()
while time.monotonic() - start < seconds:
    subprocess.run(["sh", "-c", command], check=True)
    calls += 1
print(calls / (time.monotonic() - start))
END
}

# Calls the Python function "work" in standard input until the time is up, and prints calls a second.
python_calls() {
    {
        cat
        cat <<END
import time
work()
calls, start = 0, time.monotonic()
while time.monotonic() - start < $SECONDS_EACH:
    work()
    calls += 1
print(calls / (time.monotonic() - start))
END
    } >work.py
    python3 work.py
}

# Accesses a file on the disk past the guest's page cache: mode, block size. Prints what follows $3 in the results of the
# second time; the first one is for whoever compiles.
disk() {
    [ -e "$disk_directory/test_file.0" ] ||
        (cd "$disk_directory" && sysbench fileio --file-num=1 --file-total-size=128M prepare >/dev/null)
    for turn in warm-up measured; do
        (cd "$disk_directory" && sysbench fileio --file-num=1 --file-total-size=128M --file-extra-flags=direct \
            --file-fsync-freq=0 --file-fsync-end=off --file-test-mode="$1" --file-block-size="$2" \
            --time="$SECONDS_EACH" run) >results
    done
    awk -v name="$3" 'index($0, name) { print $NF }' results
}

# The same addresses for Kagami's NAT and QEMU's user network. Fails on a host.
network() {
    [ "$IN_GUEST" = 1 ] || return
    ip address show | grep -q 10.0.2.15 && return
    modprobe virtio_net
    device=$(cd /sys/class/net && echo e*)
    ip link set lo up
    ip address add 10.0.2.15/24 dev "$device"
    ip link set "$device" up
}

iperf() {
    iperf3 -J -c 10.0.2.2 -p "$IPERF_PORT" -O "$SECONDS_EACH" -t "$SECONDS_EACH" "$@" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"] / 1e6)'
}

# The host does it, when it is asked to, and says what came of it.
memcached_load() {
    memcached -u root -l 10.0.2.15 -d
    python3 -c 'import socket, sys
print(socket.create_connection(("10.0.2.2", int(sys.argv[1]))).makefile().readline())' "$LOAD_PORT"
}

run() {
    case $1 in
    sysbench-cpu) sysbench cpu --time="$SECONDS_EACH" run | awk '/events per second/ { print $4 }' ;;
    sysbench-cpu-2) sysbench cpu --threads=2 --time="$SECONDS_EACH" run | awk '/events per second/ { print $4 }' ;;
    sysbench-threads) sysbench threads --threads=2 --time="$SECONDS_EACH" run |
        awk '/total number of events/ { n = $5 } /total time:/ { sub("s", "", $3); t = $3 } END { print n / t }' ;;
    memory-1k | memory-1m) sysbench memory --memory-block-size="${1#memory-}" --memory-total-size=100T \
        --time="$SECONDS_EACH" run | sed -n 's/.*transferred (\([0-9.]*\) MiB.*/\1/p' ;;
    openssl-sha256) openssl_speed -bytes 16384 -evp sha256 | megabytes ;;
    openssl-aes) openssl_speed -bytes 16384 -evp aes-128-cbc | megabytes ;;
    openssl-rsa) openssl_speed rsa2048 | awk '{ print $6 }' ;;
    python) python_calls <<'END' ;;
def work():
    total = 0
    for i in range(20000):
        total += i * i % 7
    return total
END
    copy) python_calls <<'END' ;;
source, target = bytearray(b"x" * (4 << 20)), bytearray(4 << 20)
def work():
    target[:] = source
END
    gzip)
        [ -e text ] || seq 1 250000 >text
        calls_a_second 'exec gzip -6 -c text >/dev/null'
        ;;
    gcc)
        [ -e small.c ] || {
            echo '#include <stdio.h>'
            echo '#include <string.h>'
            for i in 1 2 3 4 5 6 7 8 9 10; do
                echo "int f$i(int n, char *p) { int s = 0; for (int i = 0; i < n; i++) s += p[i] * i % ($i + 2);"
                echo "    return s + (int) strlen(p); }"
            done
            printf "%s\n" 'int main(int c, char **v) { printf("%d\n", f1(c, v[0])); return 0; }'
        } >small.c
        calls_a_second 'exec gcc -O2 -o small small.c'
        ;;
    fork) calls_a_second 'i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i + 1)); done' ;;
    disk-read-4k) disk rndrd 4096 'reads/s:' ;;
    disk-read-1m) disk seqrd 1M 'read, MiB/s:' ;;
    disk-write-1m) disk seqrewr 1M 'written, MiB/s:' ;;
    iperf-out) network && iperf ;;
    iperf-in) network && iperf -R ;;
    memcached) network && memcached_load ;;
    *) echo "no workload $1" >&2 ;;
    esac
}

for workload in $WORKLOADS; do
    echo "@result $workload $(run "$workload")"
done
rm -rf "$directory" "$disk_directory"
echo "@done"
if [ "$IN_GUEST" = 1 ]; then
    sync
    systemctl poweroff -ff
fi
exit 0
