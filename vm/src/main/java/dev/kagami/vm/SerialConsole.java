package dev.kagami.vm;

import java.io.InputStream;
import java.io.OutputStream;

/**
 * What the first serial port (COM1) is connected to.
 *
 * <p>A machine reads and writes the streams on threads of its own and never closes them. A read that blocks can't be
 * taken back: the thread that waits in {@code input} is a daemon and ends with the next byte, or the end, after the
 * machine has closed. The end of {@code input} means that nobody types any more; the machine goes on.
 *
 * @param input what the guest receives
 * @param output where the guest's bytes go; written in bulk and flushed without delay
 */
public record SerialConsole(InputStream input, OutputStream output) {
    /** Collects the parts. */
    public static final class Builder {
        private InputStream input = InputStream.nullInputStream();
        private OutputStream output = OutputStream.nullOutputStream();

        Builder() {}

        /**
         * Sets what the guest receives; by default nothing.
         *
         * @param input the stream
         * @return this
         */
        public Builder input(InputStream input) {
            this.input = input;
            return this;
        }

        /**
         * Sets where the guest's bytes go; by default they are dropped.
         *
         * @param output the stream
         * @return this
         */
        public Builder output(OutputStream output) {
            this.output = output;
            return this;
        }

        SerialConsole build() {
            return new SerialConsole(input, output);
        }
    }
}
