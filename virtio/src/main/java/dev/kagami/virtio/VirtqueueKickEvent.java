package dev.kagami.virtio;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A driver has told a device to look at a queue. There may be many thousands a second, so a recording has to ask for them. */
@Name("dev.kagami.VirtqueueKick")
@Label("Virtqueue Kick")
@Description("A driver has told a device to look at a queue")
@Category("Kagami")
@StackTrace(false)
@Enabled(false)
final class VirtqueueKickEvent extends Event {
    @Label("Device")
    String device = "";

    @Label("Queue")
    int queue;

    /** Records a kick, if somebody wants to know. */
    static void record(String device, int queue) {
        VirtqueueKickEvent event = new VirtqueueKickEvent();
        if (event.isEnabled()) {
            event.device = device;
            event.queue = queue;
            event.commit();
        }
    }
}
