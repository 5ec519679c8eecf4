package dev.kagami.image;

import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * Makes kernel parameters that the {@linkplain DefaultGuest default guest} understands, to be appended to its command
 * line after a space.
 *
 * <table>
 * <caption>The parameters</caption>
 * <tr><td>{@code kagami.run=COMMAND}</td><td>run a shell command in place of the interactive shell, print
 *     {@code kagami.run: exit status N} as a line, and power off; quoted as {@code kagami.run="ls -l /"}</td></tr>
 * <tr><td>{@code kagami.run64=TEXT}</td><td>the same, with the command in base64, for commands with quotes in them</td></tr>
 * <tr><td>{@code kagami.columns=N kagami.rows=N}</td><td>the terminal's size</td></tr>
 * <tr><td>{@code TERM=NAME}</td><td>the terminal's type; the kernel hands it on to the guest's environment</td></tr>
 * </table>
 */
public final class GuestParameters {

    /** The kernel's COMMAND_LINE_SIZE on x86 is 2048; this leaves room for the rest of the line. */
    private static final int MAX_RUN_CHARACTERS = 1800;

    private static final int MAX_TERMINAL_CELLS = 9999;

    private GuestParameters() {}

    /**
     * Returns the parameter that makes the guest run a command in place of the interactive shell, and power off.
     *
     * @param command a command line for the guest's shell
     * @return the parameter
     * @throws IllegalArgumentException if it is too long: a kernel's command line has room for 2047 characters
     */
    public static String run(String command) {
        boolean plain = command.chars().allMatch(c -> c >= ' ' && c < 0x7f && c != '"');
        String parameter = plain
                ? "kagami.run=\"" + command + "\""
                : "kagami.run64=" + Base64.getEncoder().encodeToString(command.getBytes(StandardCharsets.UTF_8));
        if (parameter.length() > MAX_RUN_CHARACTERS) {
            throw new IllegalArgumentException(
                    "The command is too long for a kernel parameter: " + parameter.length() + " characters");
        }
        return parameter;
    }

    /**
     * Returns the parameters that tell the guest of the terminal it will be seen on.
     *
     * @param columns the terminal's width in characters, 1 to 9999
     * @param rows the terminal's height in characters, 1 to 9999
     * @param type the terminal's type, as in the TERM variable; a name with odd characters is left out
     * @return the parameters
     * @throws IllegalArgumentException if the size is out of range
     */
    public static String terminal(int columns, int rows, String type) {
        if (columns < 1 || rows < 1 || columns > MAX_TERMINAL_CELLS || rows > MAX_TERMINAL_CELLS) {
            throw new IllegalArgumentException("Not a terminal's size: " + columns + " by " + rows);
        }
        String size = "kagami.columns=" + columns + " kagami.rows=" + rows;
        return type.matches("[A-Za-z0-9][A-Za-z0-9+_-]{0,63}") ? size + " TERM=" + type : size;
    }
}
