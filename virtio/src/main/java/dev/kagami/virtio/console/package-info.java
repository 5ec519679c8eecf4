/**
 * The console device (virtio 1.2, 5.3): consoles ({@code hvc0} in Linux) and named byte streams ({@code /dev/virtio-ports/NAME}).
 *
 * <p>Each port has a channel on the host's side. While nobody has opened it the guest's output goes nowhere, because Linux
 * waits with a busy CPU for a console to take it; while somebody has, a slow reader holds the guest back.
 */
package dev.kagami.virtio.console;
