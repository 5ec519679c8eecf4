#cloud-boothook
#!/bin/sh
# Starts the agent that runs commands for the host, at every boot. All of it comes from the seed and stays in memory.

mountpoint -q /run/kagami && exit 0
mkdir -p /run/kagami /run/kagami-seed
# Of its own, as /run may not have programs.
mount -t tmpfs -o mode=0700,size=1m kagami /run/kagami || exit 1
mount -o ro LABEL=cidata /run/kagami-seed || exit 1
for file in kagami-agent token serve; do
    cp "/run/kagami-seed/kagami.$file" "/run/kagami/$file" && chmod 0700 "/run/kagami/$file"
done
umount /run/kagami-seed
rmdir /run/kagami-seed

modprobe -q vmw_vsock_virtio_transport
if [ -d /run/systemd/system ]; then
    # Much of the boot waits for cloud-init, so this must not wait for the boot.
    exec systemd-run --no-block --quiet --unit=kagami-agent --description="Kagami's agent" \
        --property=DefaultDependencies=no --property=Conflicts=shutdown.target --property=Before=shutdown.target \
        --property=Restart=always --property=RestartSec=1 --setenv=HOME=/root /run/kagami/serve
fi
setsid /run/kagami/serve </dev/null >/dev/null 2>&1 &
