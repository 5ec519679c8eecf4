package dev.kagami.vm;

import java.util.Arrays;

/**
 * The characters on the screen of a terminal like a VT220 or xterm: cursor movement, erasing, inserting and deleting,
 * scrolling regions, the alternate screen, line drawing (ECMA-48; DEC STD 070). Colours and other attributes are left out.
 * Not thread-safe.
 */
final class TerminalScreen {
    private static final int TAB = 8;
    private static final int MAX_PARAMETERS = 16;
    private static final int MAX_PARAMETER = 9999;
    private static final String LINE_DRAWING = "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·";

    private enum State {
        GROUND,
        ESCAPE,
        /** Between ESC and the letter that a charset is chosen by; the second for G1. */
        CHARSET_0,
        CHARSET_1,
        HASH,
        CONTROL_SEQUENCE,
        /** A title or another string; ends with BEL or ESC \. */
        STRING,
        STRING_ESCAPE
    }

    private final int columns;
    private final int rows;
    private int[][] cells;
    private int[][] otherCells;
    private boolean alternate;
    private int row;
    private int column;
    /** Whether the last column was written, so that the next character goes to the next line. */
    private boolean wrapPending;

    private boolean autoWrap = true;
    private boolean originMode;
    private boolean insertMode;
    private int top;
    private int bottom;
    private int savedRow;
    private int savedColumn;
    private boolean lineDrawing0;
    private boolean lineDrawing1;
    private boolean shiftedOut;
    private int lastCharacter = ' ';

    private State state = State.GROUND;
    private final int[] parameters = new int[MAX_PARAMETERS];
    private int parameterCount;
    private char prefix;
    private boolean intermediate;
    /** A UTF-8 character that is half there: its bits, and how many bytes are missing. */
    private int codePoint;

    private int missing;

    TerminalScreen(int columns, int rows) {
        this.columns = columns;
        this.rows = rows;
        cells = blank();
        otherCells = blank();
        bottom = rows - 1;
    }

    private int[][] blank() {
        int[][] screen = new int[rows][columns];
        for (int[] line : screen) {
            Arrays.fill(line, ' ');
        }
        return screen;
    }

    /** Prints bytes. */
    void write(byte[] bytes, int offset, int length) {
        for (int i = offset; i < offset + length; i++) {
            decode(bytes[i] & 0xFF);
        }
    }

    /** {@return the lines, without spaces at their ends and without empty lines at the end} */
    String text() {
        StringBuilder text = new StringBuilder();
        for (int[] line : cells) {
            StringBuilder characters = new StringBuilder();
            for (int character : line) {
                characters.appendCodePoint(character);
            }
            text.append(characters.toString().stripTrailing()).append('\n');
        }
        return text.toString().stripTrailing();
    }

    private void decode(int value) {
        if (missing > 0 && (value & 0xC0) == 0x80) {
            codePoint = codePoint << 6 | value & 0x3F;
            missing--;
            if (missing == 0) {
                take(Character.isValidCodePoint(codePoint) ? codePoint : '?');
            }
        } else if (value < 0x80) {
            missing = 0;
            take(value);
        } else if (value >= 0xC2 && value < 0xF5) {
            missing = value < 0xE0 ? 1 : value < 0xF0 ? 2 : 3;
            codePoint = value & (0x3F >> missing);
        } else {
            missing = 0;
            take('?');
        }
    }

    private void take(int character) {
        switch (state) {
            case GROUND -> {
                if (character < ' ') {
                    control(character);
                } else if (character != 0x7F) {
                    print(character);
                }
            }
            case ESCAPE -> {
                if (character < ' ') {
                    control(character);
                } else {
                    escape(character);
                }
            }
            case CHARSET_0 -> {
                lineDrawing0 = character == '0';
                state = State.GROUND;
            }
            case CHARSET_1 -> {
                lineDrawing1 = character == '0';
                state = State.GROUND;
            }
            case HASH -> {
                if (character == '8') {
                    for (int[] line : cells) {
                        Arrays.fill(line, 'E');
                    }
                }
                state = State.GROUND;
            }
            case CONTROL_SEQUENCE -> sequence(character);
            case STRING -> {
                if (character == 7 || character == 0x18) {
                    state = State.GROUND;
                } else if (character == 0x1B) {
                    state = State.STRING_ESCAPE;
                }
            }
            case STRING_ESCAPE -> {
                if (character == '\\') {
                    state = State.GROUND;
                } else {
                    state = State.ESCAPE;
                    take(character);
                }
            }
        }
    }

    private void control(int character) {
        switch (character) {
            case 8 -> {
                column = Math.max(0, column - 1);
                wrapPending = false;
            }
            case 9 -> column = Math.min(columns - 1, (column / TAB + 1) * TAB);
            case 10, 11, 12 -> lineFeed();
            case 13 -> {
                column = 0;
                wrapPending = false;
            }
            case 14 -> shiftedOut = true;
            case 15 -> shiftedOut = false;
            case 0x18, 0x1A -> state = State.GROUND;
            case 0x1B -> state = State.ESCAPE;
            default -> {
                // Bells and the like.
            }
        }
    }

    private void print(int character) {
        int shown = character;
        if ((shiftedOut ? lineDrawing1 : lineDrawing0) && character >= '`' && character <= '~') {
            shown = LINE_DRAWING.charAt(character - '`');
        }
        if (wrapPending && autoWrap) {
            column = 0;
            lineFeed();
        }
        wrapPending = false;
        if (insertMode) {
            insertCharacters(1);
        }
        cells[row][column] = shown;
        lastCharacter = character;
        if (column == columns - 1) {
            wrapPending = true;
        } else {
            column++;
        }
    }

    private void lineFeed() {
        wrapPending = false;
        if (row == bottom) {
            scrollUp(top, 1);
        } else if (row < rows - 1) {
            row++;
        }
    }

    private void reverseLineFeed() {
        wrapPending = false;
        if (row == top) {
            scrollDown(top, 1);
        } else if (row > 0) {
            row--;
        }
    }

    /** Moves the lines from a line to the region's bottom up. */
    private void scrollUp(int from, int count) {
        int lines = Math.min(count, bottom - from + 1);
        for (int i = from; i <= bottom; i++) {
            cells[i] = i + lines <= bottom ? cells[i + lines] : new int[columns];
            if (i + lines > bottom) {
                Arrays.fill(cells[i], ' ');
            }
        }
    }

    private void scrollDown(int from, int count) {
        int lines = Math.min(count, bottom - from + 1);
        for (int i = bottom; i >= from; i--) {
            cells[i] = i - lines >= from ? cells[i - lines] : new int[columns];
            if (i - lines < from) {
                Arrays.fill(cells[i], ' ');
            }
        }
    }

    private void escape(int character) {
        state = State.GROUND;
        switch (character) {
            case '[' -> {
                state = State.CONTROL_SEQUENCE;
                Arrays.fill(parameters, 0);
                parameterCount = 0;
                prefix = 0;
                intermediate = false;
            }
            case ']', 'P', 'X', '^', '_' -> state = State.STRING;
            case '(' -> state = State.CHARSET_0;
            case ')' -> state = State.CHARSET_1;
            case '#' -> state = State.HASH;
            case '7' -> saveCursor();
            case '8' -> restoreCursor();
            case 'D' -> lineFeed();
            case 'E' -> {
                column = 0;
                lineFeed();
            }
            case 'M' -> reverseLineFeed();
            case 'c' -> reset();
            default -> {
                // Keypad modes and the like.
            }
        }
    }

    private void reset() {
        cells = blank();
        otherCells = blank();
        alternate = false;
        row = 0;
        column = 0;
        wrapPending = false;
        autoWrap = true;
        originMode = false;
        insertMode = false;
        top = 0;
        bottom = rows - 1;
        lineDrawing0 = false;
        lineDrawing1 = false;
        shiftedOut = false;
    }

    private void saveCursor() {
        savedRow = row;
        savedColumn = column;
    }

    private void restoreCursor() {
        row = savedRow;
        column = savedColumn;
        wrapPending = false;
    }

    private void sequence(int character) {
        if (character < ' ') {
            control(character);
        } else if (character >= '0' && character <= '9') {
            if (parameterCount == 0) {
                parameterCount = 1;
            }
            int index = parameterCount - 1;
            parameters[index] = Math.min(MAX_PARAMETER, parameters[index] * 10 + character - '0');
        } else if (character == ';' || character == ':') {
            parameterCount = Math.min(MAX_PARAMETERS, Math.max(1, parameterCount) + 1);
        } else if (character >= '<' && character <= '?') {
            prefix = (char) character;
        } else if (character < '0') {
            intermediate = true;
        } else {
            state = State.GROUND;
            if (character >= '@' && character <= '~' && !intermediate) {
                execute(character);
            }
        }
    }

    /** {@return a parameter, of which zero and nothing mean one} */
    private int count(int index) {
        return Math.max(1, parameters[index]);
    }

    private void execute(int command) {
        if (prefix == '?') {
            privateMode(command);
            return;
        }
        if (prefix != 0) {
            return;
        }
        switch (command) {
            case 'A' -> moveTo(Math.max(row >= top ? top : 0, row - count(0)), column);
            case 'B', 'e' -> moveTo(Math.min(row <= bottom ? bottom : rows - 1, row + count(0)), column);
            case 'C', 'a' -> moveTo(row, column + count(0));
            case 'D' -> moveTo(row, column - count(0));
            case 'E' -> moveTo(Math.min(row <= bottom ? bottom : rows - 1, row + count(0)), 0);
            case 'F' -> moveTo(Math.max(row >= top ? top : 0, row - count(0)), 0);
            case 'G', '`' -> moveTo(row, count(0) - 1);
            case 'H', 'f' -> position(count(0) - 1, count(1) - 1);
            case 'd' -> position(count(0) - 1, column);
            case 'J' -> eraseScreen();
            case 'K' -> eraseLine();
            case 'L' -> {
                if (row >= top && row <= bottom) {
                    scrollDown(row, count(0));
                    moveTo(row, 0);
                }
            }
            case 'M' -> {
                if (row >= top && row <= bottom) {
                    scrollUp(row, count(0));
                    moveTo(row, 0);
                }
            }
            case '@' -> insertCharacters(count(0));
            case 'P' -> deleteCharacters(count(0));
            case 'X' -> Arrays.fill(cells[row], column, Math.min(columns, column + count(0)), ' ');
            case 'S' -> scrollUp(top, count(0));
            case 'T' -> scrollDown(top, count(0));
            case 'b' -> {
                for (int i = Math.min(count(0), columns * rows); i > 0; i--) {
                    print(lastCharacter);
                }
            }
            case 'h', 'l' -> {
                if (parameters[0] == 4) {
                    insertMode = command == 'h';
                }
            }
            case 'r' -> setRegion();
            case 's' -> saveCursor();
            case 'u' -> restoreCursor();
            default -> {
                // Attributes, reports, and what needs more than characters.
            }
        }
    }

    private void privateMode(int command) {
        if (command != 'h' && command != 'l') {
            return;
        }
        boolean on = command == 'h';
        for (int i = 0; i < parameterCount; i++) {
            switch (parameters[i]) {
                case 6 -> {
                    originMode = on;
                    position(0, 0);
                }
                case 7 -> {
                    autoWrap = on;
                    wrapPending = false;
                }
                case 47, 1047 -> switchScreen(on, false);
                case 1048 -> {
                    if (on) {
                        saveCursor();
                    } else {
                        restoreCursor();
                    }
                }
                case 1049 -> switchScreen(on, true);
                default -> {
                    // The cursor's look, the mouse, and so on.
                }
            }
        }
    }

    private void switchScreen(boolean toAlternate, boolean withCursor) {
        if (toAlternate == alternate) {
            return;
        }
        if (toAlternate && withCursor) {
            saveCursor();
        }
        int[][] shown = cells;
        cells = otherCells;
        otherCells = shown;
        alternate = toAlternate;
        if (toAlternate) {
            cells = blank();
        } else if (withCursor) {
            restoreCursor();
        }
    }

    private void moveTo(int newRow, int newColumn) {
        row = Math.clamp(newRow, 0, rows - 1);
        column = Math.clamp(newColumn, 0, columns - 1);
        wrapPending = false;
    }

    private void position(int newRow, int newColumn) {
        moveTo(originMode ? Math.min(bottom, top + newRow) : newRow, newColumn);
    }

    private void setRegion() {
        int first = count(0) - 1;
        int last = parameters[1] == 0 ? rows - 1 : Math.min(rows, parameters[1]) - 1;
        if (first < last) {
            top = first;
            bottom = last;
            position(0, 0);
        }
    }

    private void eraseScreen() {
        int from = parameters[0] == 0 ? row + 1 : 0;
        int to = parameters[0] == 1 ? row : rows;
        if (parameters[0] > 2) {
            return;
        }
        for (int i = from; i < to; i++) {
            Arrays.fill(cells[i], ' ');
        }
        if (parameters[0] < 2) {
            eraseLine();
        }
    }

    private void eraseLine() {
        int from = parameters[0] == 0 ? column : 0;
        int to = parameters[0] == 1 ? column + 1 : columns;
        if (parameters[0] <= 2) {
            Arrays.fill(cells[row], from, to, ' ');
        }
    }

    private void insertCharacters(int wanted) {
        int count = Math.min(wanted, columns - column);
        System.arraycopy(cells[row], column, cells[row], column + count, columns - column - count);
        Arrays.fill(cells[row], column, column + count, ' ');
    }

    private void deleteCharacters(int wanted) {
        int count = Math.min(wanted, columns - column);
        System.arraycopy(cells[row], column + count, cells[row], column, columns - column - count);
        Arrays.fill(cells[row], columns - count, columns, ' ');
    }
}
