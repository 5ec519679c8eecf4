package dev.kagami.virtio;

/** A driver's way to a device. */
public interface DriverTransport {
    int deviceId();

    int status();

    void setStatus(int status);

    long deviceFeatures();

    void setDriverFeatures(long features);

    int queueMax(int queue);

    /** Sets a queue up and enables it. */
    void setUp(int queue, int size, long descriptors, long available, long used);

    void notifyQueue(int queue);

    long config(int offset, int size);

    void setConfig(int offset, int size, long value);

    int configGeneration();

    /** {@return how many interrupts the queue has caused; acknowledges them where that is needed} */
    int interrupts(int queue);

    /** {@return how many interrupts changes of configuration or status have caused} */
    int configInterrupts();
}
