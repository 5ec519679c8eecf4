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
            echo 'int main(int c, char **v) { printf("%d\n", f1(c, v[0])); return 0; }'
        } >small.c
        calls_a_second 'exec gcc -O2 -o small small.c'
        ;;
    fork) calls_a_second 'i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i + 1)); done' ;;
    *) echo "no workload $1" >&2 ;;
    esac
}

for workload in $WORKLOADS; do
    echo "@result $workload $(run "$workload")"
done
rm -rf "$directory"
echo "@done"
if [ "$IN_GUEST" = 1 ]; then
    sync
    systemctl poweroff -ff
fi
exit 0
