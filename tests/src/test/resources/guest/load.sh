# Keeps a guest busy with work whose results are known, until there is a file /tmp/stop. Each worker counts what it has done in
# /tmp/progress.NAME; what is wrong goes to /tmp/failures. Arguments: URL of a page, its MD5 sum, SHA-256 sum of 512 KiB of 'x'.

page=$1
page_sum=$2
sum=$3

fail() {
    echo "$*" >>/tmp/failures
}

# Counts one piece of work; false when there is to be no more.
done_by() {
    echo "$2" >"/tmp/new.$1" && mv "/tmp/new.$1" "/tmp/progress.$1"
    [ ! -e /tmp/stop ]
}

# Clocks and timers of one CPU.
timer() {
    last=0
    last_date=0
    count=0
    while done_by "timer$1" "$count"; do
        count=$((count + 1))
        taskset "$1" sleep "0.0$((count % 5))"
        read -r now rest </proc/uptime
        now=${now%.*}${now#*.}
        [ "$now" -ge "$last" ] || fail "the time since the boot went from $last back to $now"
        last=$now
        now=$(date +%s)
        [ "$now" -ge "$last_date" ] || fail "the date went from $last_date back to $now"
        last_date=$now
    done
}

processor() {
    count=0
    while done_by "processor$1" "$count"; do
        count=$((count + 1))
        now=$(dd if=/dev/zero bs=64k count=8 2>/dev/null | tr '\0' x | taskset "$1" sha256sum)
        [ "${now%% *}" = "$sum" ] || fail "SHA-256: $now"
        [ "$(yes abc | head -c 100000 | gzip | gunzip | md5sum)" = "$(yes abc | head -c 100000 | md5sum)" ] || fail gzip
    done
}

contents() {
    yes "$1 $2" | head -c $((50000 + $2 % 7 * 30000))
}

disk() {
    count=0
    while done_by "$1" "$count"; do
        count=$((count + 1))
        file=/mnt/$1/$((count % 8))
        contents "$1" "$count" >"$file" || fail "writing to $1"
        if [ $((count % 4)) = 0 ]; then
            sync
            echo 3 >/proc/sys/vm/drop_caches
        fi
        [ "$(contents "$1" "$count" | md5sum)" = "$(md5sum <"$file")" ] || fail "file $count of $1"
        [ $((count % 3)) = 0 ] && rm "$file"
    done
}

# A connection may be cut, or hang; what arrives in whole must be right.
network() {
    count=0
    while done_by network "$count"; do
        if timeout 10 wget -q -O /tmp/page "$page" 2>/tmp/network.log; then
            count=$((count + 1))
            [ "$(md5sum </tmp/page)" = "$page_sum  -" ] || fail "the page was $(wc -c </tmp/page) bytes"
        fi
    done
}

mkdir -p /mnt/vda /mnt/vdb
mount -t ext4 /dev/vda /mnt/vda || fail "mounting vda"
mount -t ext4 /dev/vdb /mnt/vdb || fail "mounting vdb"
timer 1 &
timer 2 &
processor 1 &
processor 2 &
disk vda &
disk vdb &
network &
wait
umount /mnt/vda /mnt/vdb || fail umount
sync
touch /tmp/stopped
