package dev.kagami.cli;

import java.io.IOException;
import java.io.InputStream;

/**
 * What the user types, without the keys that are meant for Kagami: Ctrl-A x leaves, Ctrl-A h helps, Ctrl-A Ctrl-A is one
 * Ctrl-A for the guest; Ctrl-A with any other key is dropped.
 */
final class EscapeKeys extends InputStream {
    /** What the keys do. */
    interface Actions {
        /** The user wants to leave. */
        void leave();

        /** The user asks what the keys are. */
        void help();
    }

    /** Ctrl-A. */
    private static final int ESCAPE = 1;

    private static final int BUFFER = 1024;

    private final InputStream keys;
    private final Actions actions;
    private final byte[] typed = new byte[BUFFER];
    private boolean escaped;
    private boolean left;

    EscapeKeys(InputStream keys, Actions actions) {
        this.keys = keys;
        this.actions = actions;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        int kept = 0;
        while (kept == 0) {
            // After Ctrl-A x the guest hears nothing more: its machine is being stopped.
            int count = left ? -1 : keys.read(typed, 0, Math.min(length, BUFFER));
            if (count < 0) {
                return -1;
            }
            for (int i = 0; i < count && !left; i++) {
                if (passes(typed[i])) {
                    target[offset + kept++] = typed[i];
                }
            }
        }
        return kept;
    }

    private boolean passes(byte key) {
        if (!escaped) {
            escaped = key == ESCAPE;
            return !escaped;
        }
        escaped = false;
        switch (key) {
            case ESCAPE -> {
                return true;
            }
            case 'x', 'X' -> {
                left = true;
                actions.leave();
            }
            case 'h', 'H', '?' -> actions.help();
            default -> {}
        }
        return false;
    }
}
