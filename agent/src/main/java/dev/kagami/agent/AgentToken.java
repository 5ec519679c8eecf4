package dev.kagami.agent;

import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.HexFormat;

/**
 * The secret that a guest's agent asks for: 64 hexadecimal digits. It goes into the guest with what the guest is started
 * from, so that nobody but who started the guest has it.
 *
 * @param digits the digits
 */
public record AgentToken(String digits) {
    /** Checks the digits. */
    public AgentToken {
        if (digits.length() != Protocol.TOKEN_SIZE || !digits.chars().allMatch(HexFormat::isHexDigit)) {
            throw new IllegalArgumentException("a token is 64 hexadecimal digits");
        }
    }

    /** {@return a new token} */
    public static AgentToken random() {
        byte[] bytes = new byte[Protocol.TOKEN_SIZE / 2];
        new SecureRandom().nextBytes(bytes);
        return new AgentToken(HexFormat.of().formatHex(bytes));
    }

    /** {@return what the agent's token file contains} */
    public byte[] bytes() {
        return digits.getBytes(StandardCharsets.US_ASCII);
    }

    /** Tells nothing: tokens must not get into logs. */
    @Override
    public String toString() {
        return "AgentToken";
    }
}
