package dev.kagami.virtio.entropy;

import java.security.SecureRandom;
import java.util.random.RandomGenerator;

/**
 * What an {@link EntropyDevice} is made of.
 *
 * @param source where its numbers come from; must be safe to call from another thread
 */
public record EntropyConfig(RandomGenerator source) {
    /** {@return a device that passes the host's random numbers on} */
    public static EntropyConfig host() {
        return new EntropyConfig(new SecureRandom());
    }
}
