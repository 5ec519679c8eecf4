package dev.kagami.image.loader;

import dev.kagami.image.disk.GuestFile;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Runs a GRUB script for what it tells about menus and kernels. Commands that set the screen, load modules and the like
 * succeed and do nothing; nothing is ever written. Scripts are hostile: work, memory and depth have limits, and a script
 * that exceeds them is an {@link IllegalArgumentException} with a reason.
 */
final class GrubInterpreter {

    /** Each command and each 16 characters of its words cost one. Debian's configuration needs some hundred. */
    private static final int MAX_WORK = 200_000;

    private static final int CHARACTERS_PER_WORK = 16;
    private static final int MAX_DEPTH = 48;
    private static final int MAX_VALUE = 16 << 10;
    private static final int MAX_WORDS = 4096;
    private static final int MAX_VARIABLES = 4096;
    private static final int MAX_MENU = 1024;
    private static final int MAX_SCRIPT_SIZE = 1 << 20;

    /** grub-editenv makes files of 1 KiB. */
    private static final int MAX_ENVIRONMENT_SIZE = 64 << 10;

    private static final int SUCCESS = 0;
    private static final int FAILURE = 1;

    /**
     * A line of a menu.
     *
     * @param title what the user sees
     * @param id what {@code default} may name it by; may be empty
     * @param submenu whether running it makes another menu
     * @param arguments what {@code $1} and so on are in its script
     * @param script what is run when it is chosen
     */
    record MenuEntry(String title, String id, boolean submenu, List<String> arguments, List<GrubStatement> script) {}

    /**
     * A kernel that a script wants to boot.
     *
     * @param root the device that paths without one are on
     * @param kernel its path
     * @param arguments its command line
     * @param initrds paths of what becomes its initramfs
     */
    record Linux(String root, String kernel, String arguments, List<String> initrds) {}

    private final Volumes volumes;
    private final Map<String, String> variables = new HashMap<>();
    private final Map<String, List<GrubStatement>> functions = new HashMap<>();
    private final List<MenuEntry> menu = new ArrayList<>();
    private List<String> arguments = List.of();
    private Optional<Linux> linux = Optional.empty();
    private int work;
    private int depth;
    private int status;
    /** How many loops are to be left: {@code break}. */
    private int breaks;

    private boolean continuing;
    private boolean returning;

    /**
     * Makes an interpreter.
     *
     * @param volumes what the script can look at
     * @param device the device that GRUB was started from, such as {@code hd0,gpt1}
     * @param directory the directory of GRUB's files on it
     */
    GrubInterpreter(Volumes volumes, String device, String directory) {
        this.volumes = volumes;
        variables.put("root", device);
        variables.put("prefix", "(" + device + ")" + directory);
        variables.put("cmdpath", "(" + device + ")");
        variables.put("grub_platform", "pc");
        // Ubuntu tries without an initramfs first, and remembers in a file when that failed; nothing is written here.
        variables.put("initrdfail", "1");
        variables.put("grub_cpu", "i386");
        for (String feature : List.of(
                "menuentry_id",
                "platform_search_hint",
                "timeout_style",
                "all_video_module",
                "default_font_path",
                "200_final",
                "chainloader_bpb",
                "ntldr")) {
            variables.put("feature_" + feature, "y");
        }
    }

    /** Returns the value of a variable; empty if it has none. */
    String variable(String name) {
        return variables.getOrDefault(name, "");
    }

    /** Returns the menu that the script has made so far. */
    List<MenuEntry> menu() {
        return List.copyOf(menu);
    }

    /** Runs a script. */
    void run(String script) {
        run(GrubParser.parse(script));
    }

    /** Does what choosing a line of a menu does, and returns the kernel it loads, if any. A submenu makes a new menu. */
    Optional<Linux> choose(MenuEntry entry) {
        linux = Optional.empty();
        menu.clear();
        set("chosen", entry.id().isEmpty() ? entry.title() : entry.id());
        call(entry.script(), entry.arguments());
        return linux;
    }

    private void spend(int amount) {
        work += amount;
        if (work > MAX_WORK) {
            throw new IllegalArgumentException("it runs for too long");
        }
    }

    private boolean unwinding() {
        return breaks > 0 || continuing || returning;
    }

    private void run(List<GrubStatement> statements) {
        if (++depth > MAX_DEPTH) {
            throw new IllegalArgumentException("it calls itself too deeply");
        }
        for (GrubStatement statement : statements) {
            if (unwinding()) {
                break;
            }
            spend(1);
            switch (statement) {
                case GrubStatement.Command command -> command(command);
                case GrubStatement.If choice -> {
                    run(choice.condition());
                    run(status == SUCCESS ? choice.then() : choice.otherwise());
                }
                case GrubStatement.Loop loop -> loop(loop);
                case GrubStatement.For loop -> forLoop(loop);
                case GrubStatement.Function function -> {
                    functions.put(function.name(), function.body());
                    limit(functions.size(), MAX_VARIABLES, "functions");
                }
            }
        }
        depth--;
    }

    private void loop(GrubStatement.Loop loop) {
        while (!unwinding()) {
            spend(1);
            run(loop.condition());
            if (unwinding() || (status == SUCCESS) == loop.until()) {
                return;
            }
            body(loop.body());
        }
        leaveLoop();
    }

    private void forLoop(GrubStatement.For loop) {
        String variable = String.join("", expand(List.of(loop.variable())));
        for (String value : expand(loop.values())) {
            set(variable, value);
            body(loop.body());
            if (unwinding()) {
                break;
            }
        }
        leaveLoop();
    }

    private void body(List<GrubStatement> body) {
        run(body);
        if (breaks == 0) {
            continuing = false;
        }
    }

    private void leaveLoop() {
        if (breaks > 0) {
            breaks--;
        }
    }

    private void call(List<GrubStatement> body, List<String> with) {
        List<String> before = arguments;
        arguments = with;
        run(body);
        returning = false;
        breaks = 0;
        continuing = false;
        arguments = before;
    }

    private void command(GrubStatement.Command command) {
        List<String> words = expand(command.words());
        if (words.isEmpty()) {
            return;
        }
        String name = words.getFirst();
        List<String> rest = words.subList(1, words.size());
        List<GrubStatement> function = functions.get(name);
        if (function != null) {
            call(function, rest);
            return;
        }
        int equals = name.indexOf('=');
        if (equals > 0) {
            set(name.substring(0, equals), name.substring(equals + 1));
            status = SUCCESS;
            return;
        }
        status = builtin(name, rest, command.block());
    }

    private int builtin(String name, List<String> words, List<GrubStatement> block) {
        return switch (name) {
            case "set" -> setCommand(words);
            case "unset" -> {
                words.forEach(variables::remove);
                yield SUCCESS;
            }
            case "[" ->
                words.isEmpty() || !words.getLast().equals("]") ? FAILURE : test(words.subList(0, words.size() - 1));
            case "test" -> test(words);
            case "!" -> negated(words, block);
            case "false", "regexp", "chainloader", "multiboot", "multiboot2", "kfreebsd" -> FAILURE;
            case "menuentry", "submenu" -> menuEntry(words, name.equals("submenu"), block);
            case "search", "search.fs_uuid", "search.fs_label", "search.file" -> search(name, words);
            case "probe" -> probe(words);
            case "load_env" -> loadEnvironment(words);
            case "source", ".", "configfile" -> source(words);
            case "linux", "linux16", "linuxefi" -> linux(words);
            case "initrd", "initrd16", "initrdefi" -> initrd(words);
            case "blscfg" -> blscfg(words);
            case "setparams" -> {
                arguments = List.copyOf(words);
                yield SUCCESS;
            }
            case "break" -> {
                breaks = 1;
                yield SUCCESS;
            }
            case "continue" -> {
                continuing = true;
                yield SUCCESS;
            }
            case "return" -> {
                returning = true;
                yield words.isEmpty() || words.getFirst().equals("0") ? SUCCESS : FAILURE;
            }
            default -> SUCCESS;
        };
    }

    private int negated(List<String> words, List<GrubStatement> block) {
        int result = words.isEmpty() ? FAILURE : builtin(words.getFirst(), words.subList(1, words.size()), block);
        return result == SUCCESS ? FAILURE : SUCCESS;
    }

    private int setCommand(List<String> words) {
        if (words.isEmpty()) {
            return SUCCESS;
        }
        // set name="a b" is one word; set name=$unquoted may be several, of which the first counts.
        String assignment = words.getFirst();
        int equals = assignment.indexOf('=');
        if (equals <= 0) {
            return FAILURE;
        }
        set(assignment.substring(0, equals), assignment.substring(equals + 1));
        return SUCCESS;
    }

    private void set(String name, String value) {
        limit(value.length(), MAX_VALUE, "characters in a variable");
        limit(variables.size(), MAX_VARIABLES, "variables");
        variables.put(name, value);
    }

    private static void limit(int count, int max, String what) {
        if (count > max) {
            throw new IllegalArgumentException("it has too many " + what);
        }
    }

    private int test(List<String> words) {
        boolean holds = GrubTest.holds(words, new GrubTest.Files() {
            @Override
            public boolean isFile(String path) {
                return open(path).isPresent();
            }

            @Override
            public boolean isDirectory(String path) {
                spend(1);
                return !volumes.list(variable("root"), path).isEmpty();
            }

            @Override
            public long size(String path) {
                return open(path).map(GuestFile::size).orElse(0L);
            }
        });
        return holds ? SUCCESS : FAILURE;
    }

    private Optional<GuestFile> open(String path) {
        spend(CHARACTERS_PER_WORK);
        return volumes.open(variable("root"), path);
    }

    private int menuEntry(List<String> words, boolean submenu, List<GrubStatement> block) {
        String id = "";
        List<String> plain = new ArrayList<>();
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            switch (word) {
                case "--id" -> id = ++i < words.size() ? words.get(i) : "";
                case "--class", "--users", "--hotkey", "--source" -> i++;
                case "--unrestricted" -> {}
                default -> {
                    if (word.startsWith("--id=")) {
                        id = word.substring(word.indexOf('=') + 1);
                    } else if (!word.startsWith("--")) {
                        plain.add(word);
                    }
                }
            }
        }
        if (plain.isEmpty()) {
            return FAILURE;
        }
        limit(menu.size(), MAX_MENU, "menu entries");
        menu.add(new MenuEntry(plain.getFirst(), id, submenu, List.copyOf(plain), block));
        return SUCCESS;
    }

    private int search(String command, List<String> words) {
        String kind = command.equals("search.file") ? "file" : command.equals("search.fs_label") ? "label" : "uuid";
        String variable = "root";
        List<String> plain = new ArrayList<>();
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            switch (word) {
                case "-f", "--file" -> kind = "file";
                case "-l", "--label" -> kind = "label";
                case "-u", "--fs-uuid" -> kind = "uuid";
                case "-s", "--set", "-n", "--no-floppy" -> {}
                case "-h", "--hint" -> i++;
                default -> {
                    if (word.startsWith("--set=")) {
                        variable = word.substring(word.indexOf('=') + 1);
                    } else if (!word.startsWith("-")) {
                        plain.add(word);
                    }
                }
            }
        }
        if (plain.isEmpty()) {
            return FAILURE;
        }
        spend(CHARACTERS_PER_WORK);
        String wanted = plain.getFirst();
        Optional<Volume> found = switch (kind) {
            case "file" -> volumes.withFile(wanted);
            case "label" -> volumes.byLabel(wanted);
            default -> volumes.byUuid(wanted);
        };
        if (command.startsWith("search.") && plain.size() > 1) {
            variable = plain.get(1);
        }
        if (found.isEmpty()) {
            return FAILURE;
        }
        set(variable, found.get().grubName());
        return SUCCESS;
    }

    private int probe(List<String> words) {
        String variable = "";
        String kind = "";
        String device = "";
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            if (word.equals("--set") || word.equals("-s")) {
                variable = ++i < words.size() ? words.get(i) : "";
            } else if (word.startsWith("--set=")) {
                variable = word.substring(word.indexOf('=') + 1);
            } else if (word.startsWith("-")) {
                kind = word;
            } else {
                device = word;
            }
        }
        Optional<Volume> volume = volumes.byGrubName(device);
        if (volume.isEmpty() || variable.isEmpty()) {
            return FAILURE;
        }
        set(
                variable,
                switch (kind) {
                    case "-u", "--fs-uuid" -> volume.get().files().uuid();
                    case "-l", "--label" -> volume.get().files().label();
                    case "--part-uuid" -> volume.get().partition().uuid();
                    default -> "";
                });
        return SUCCESS;
    }

    private int loadEnvironment(List<String> words) {
        String path = variable("prefix") + "/grubenv";
        List<String> wanted = new ArrayList<>();
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            if (word.equals("-f") || word.equals("--file")) {
                path = ++i < words.size() ? words.get(i) : "";
            } else if (word.startsWith("--file=")) {
                path = word.substring(word.indexOf('=') + 1);
            } else if (!word.startsWith("-")) {
                wanted.add(word);
            }
        }
        Optional<GuestFile> file = open(path);
        if (file.isEmpty()) {
            return FAILURE;
        }
        String environment = file.get().readText(MAX_ENVIRONMENT_SIZE);
        spend(environment.length() / CHARACTERS_PER_WORK);
        for (String line : environment.split("\n")) {
            int equals = line.indexOf('=');
            if (equals > 0 && !line.startsWith("#")) {
                String name = line.substring(0, equals);
                if (wanted.isEmpty() || wanted.contains(name)) {
                    spend(1);
                    set(name, line.substring(equals + 1));
                }
            }
        }
        return SUCCESS;
    }

    private int source(List<String> words) {
        Optional<GuestFile> file = words.isEmpty() ? Optional.empty() : open(words.getFirst());
        if (file.isEmpty()) {
            return FAILURE;
        }
        String script = file.get().readText(MAX_SCRIPT_SIZE);
        spend(script.length() / CHARACTERS_PER_WORK);
        run(GrubParser.parse(script));
        return status;
    }

    private int linux(List<String> words) {
        if (words.isEmpty() || open(words.getFirst()).isEmpty()) {
            return FAILURE;
        }
        List<String> quoted = words.subList(1, words.size()).stream()
                .map(word -> word.indexOf(' ') >= 0 ? '"' + word + '"' : word)
                .toList();
        linux = Optional.of(new Linux(
                variable("root"), words.getFirst(), String.join(" ", quoted).strip(), List.of()));
        return SUCCESS;
    }

    private int initrd(List<String> words) {
        if (linux.isEmpty() || words.stream().anyMatch(word -> open(word).isEmpty())) {
            return FAILURE;
        }
        Linux before = linux.get();
        linux = Optional.of(new Linux(before.root(), before.kernel(), before.arguments(), List.copyOf(words)));
        return SUCCESS;
    }

    /** Makes menu entries of the Boot Loader Specification's ones, as the GRUB of Fedora and its relatives does. */
    private int blscfg(List<String> words) {
        List<String> directories = words.isEmpty()
                ? List.of("/loader/entries", "/boot/loader/entries", variable("prefix") + "/../loader/entries")
                : words;
        for (String directory : directories) {
            spend(CHARACTERS_PER_WORK);
            List<String> names = volumes.list(variable("root"), directory).stream()
                    .filter(name -> name.endsWith(".conf"))
                    .sorted(VersionOrder.INSTANCE.reversed())
                    .toList();
            for (String name : names) {
                open(directory + "/" + name)
                        .map(file -> LoaderEntry.parse(name, file.readText(LoaderEntry.MAX_SIZE)))
                        .filter(entry -> !entry.linux().isEmpty())
                        .ifPresent(this::addEntry);
            }
            if (!names.isEmpty()) {
                return SUCCESS;
            }
        }
        return FAILURE;
    }

    private void addEntry(LoaderEntry entry) {
        String script = "linux " + entry.linux() + " " + entry.options() + "\n"
                + (entry.initrds().isEmpty() ? "" : "initrd " + String.join(" ", entry.initrds()) + "\n");
        limit(menu.size(), MAX_MENU, "menu entries");
        spend(script.length() / CHARACTERS_PER_WORK);
        menu.add(new MenuEntry(entry.title(), entry.id(), false, List.of(), GrubParser.parse(script)));
    }

    private List<String> expand(List<GrubWord> words) {
        List<String> expanded = new ArrayList<>();
        int characters = 0;
        for (GrubWord word : words) {
            StringBuilder current = new StringBuilder();
            boolean present = false;
            for (GrubWord.Part part : word.parts()) {
                switch (part) {
                    case GrubWord.Text text -> {
                        current.append(text.text());
                        present |= text.quoted() || !text.text().isEmpty();
                    }
                    case GrubWord.Variable variable -> {
                        String value = value(variable.name());
                        if (variable.quoted()) {
                            current.append(value);
                            present = true;
                        } else {
                            present = split(value, current, present, expanded);
                        }
                    }
                }
                limit(current.length(), MAX_VALUE, "characters in a word");
                limit(expanded.size(), MAX_WORDS, "words in a command");
            }
            if (present) {
                expanded.add(current.toString());
            }
            characters += current.length();
            spend(current.length() / CHARACTERS_PER_WORK);
        }
        spend(characters / CHARACTERS_PER_WORK);
        return expanded;
    }

    /** Adds the value of an unquoted variable, which ends the word at each space. */
    private boolean split(String value, StringBuilder current, boolean present, List<String> expanded) {
        boolean word = present;
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == ' ' || c == '\t' || c == '\n') {
                if (word) {
                    expanded.add(current.toString());
                    spend(current.length() / CHARACTERS_PER_WORK);
                    current.setLength(0);
                }
                word = false;
            } else {
                current.append(c);
                word = true;
            }
        }
        return word;
    }

    private String value(String name) {
        return switch (name) {
            case "?" -> Integer.toString(status);
            case "#" -> Integer.toString(arguments.size());
            case "@", "*" -> {
                String all = String.join(" ", arguments);
                limit(all.length(), MAX_VALUE, "characters in its arguments");
                yield all;
            }
            default -> {
                boolean digit = name.length() == 1 && name.charAt(0) >= '0' && name.charAt(0) <= '9';
                int index = digit ? name.charAt(0) - '0' : 0;
                yield index == 0 ? variable(name) : index <= arguments.size() ? arguments.get(index - 1) : "";
            }
        };
    }
}
