package dev.kagami.image;

import dev.kagami.agent.AgentProgram;
import dev.kagami.agent.AgentToken;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import java.util.TreeMap;

/** Puts the agent that runs commands for the host into what guests start from. */
public final class GuestAgent {
    private static final String VENDOR_DATA = "vendor-data";
    /** A line that can't come up in base64. */
    private static final String BOUNDARY = "=kagami=";

    private GuestAgent() {}

    /**
     * Adds the agent to a NoCloud seed. The guest starts it at every boot, from the seed of that boot, so that it always fits
     * the host; nothing of it is written to the guest's disk, and cloud-init does not take the guest for a new one.
     *
     * @param seed the seed's files
     * @param token what the agent is to ask for
     * @return the files of a seed with the agent; the vendor-data is what it was, and one part more
     */
    public static Map<String, byte[]> addToSeed(Map<String, byte[]> seed, AgentToken token) {
        Map<String, byte[]> files = new TreeMap<>(seed);
        files.put("kagami.kagami-agent", AgentProgram.executable());
        files.put("kagami.token", token.bytes());
        files.put("kagami.serve", Initramfs.script("agent.sh"));
        byte[] hook = Initramfs.script("boothook.sh");
        byte[] before = seed.get(VENDOR_DATA);
        files.put(VENDOR_DATA, before == null ? hook : multipart(before, hook));
        return files;
    }

    /**
     * Makes one archive of documents (cloud-init's documentation, user-data formats). Their types are left to cloud-init, which
     * finds them out from how each begins.
     */
    private static byte[] multipart(byte[]... parts) {
        StringBuilder text = new StringBuilder(
                "Content-Type: multipart/mixed; boundary=\"%s\"\nMIME-Version: 1.0\n\n".formatted(BOUNDARY));
        for (byte[] part : parts) {
            text.append("--%s\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n%s\n"
                    .formatted(
                            BOUNDARY,
                            Base64.getMimeEncoder(76, new byte[] {'\n'}).encodeToString(part)));
        }
        text.append("--").append(BOUNDARY).append("--\n");
        return text.toString().getBytes(StandardCharsets.US_ASCII);
    }

    /**
     * Returns an archive that goes behind an initramfs which has the agent, as the default guest's does.
     *
     * @param token what the agent is to ask for
     */
    public static byte[] initramfsWith(AgentToken token) {
        return new CpioArchive().file("etc/kagami/token", 0600, token.bytes()).toByteArray();
    }
}
