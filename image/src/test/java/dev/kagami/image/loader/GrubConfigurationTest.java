package dev.kagami.image.loader;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.image.disk.GuestFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GrubConfigurationTest {

    private static final String ROOT_UUID = "570f105e-b4ad-47a5-8af3-f55d0ff84d55";

    private final LookedFor lookedFor = new LookedFor();

    private Optional<BootEntry> find(Volume first, Volume... others) {
        List<Volume> all = new java.util.ArrayList<>(List.of(others));
        all.addFirst(first);
        return new Grub(new Volumes(all), lookedFor).find(first);
    }

    private BootEntry boot(String script) {
        return find(root().with("/boot/grub/grub.cfg", script).on(1)).orElseThrow();
    }

    private static FakeFiles root() {
        return new FakeFiles(ROOT_UUID, "root").withPaths("/k1", "/k2", "/k3", "/i1", "/i2", "/dir/file");
    }

    private static String resource(String name) {
        try (InputStream in = GrubConfigurationTest.class.getResourceAsStream("/dev/kagami/image/grub/" + name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void bootsWhatDebiansUpdateGrubWrote() {
        FakeFiles files = root().with("/boot/grub/grub.cfg", resource("debian-12.cfg"))
                .withPaths("/boot/vmlinuz-6.1.0-56-cloud-amd64", "/boot/initrd.img-6.1.0-56-cloud-amd64");

        BootEntry entry = find(files.on(1)).orElseThrow();

        assertThat(entry.title()).isEqualTo("Debian GNU/Linux");
        assertThat(entry.kernel().path()).isEqualTo("/boot/vmlinuz-6.1.0-56-cloud-amd64");
        assertThat(entry.initrds())
                .extracting(GuestFile::path)
                .containsExactly("/boot/initrd.img-6.1.0-56-cloud-amd64");
        assertThat(entry.commandLine())
                .isEqualTo("root=UUID=570f105e-b4ad-47a5-8af3-f55d0ff84d55 ro console=tty0 console=ttyS0,115200"
                        + " consoleblank=0");
    }

    @ParameterizedTest
    @CsvSource({
        "gnulinux-advanced-570f105e-b4ad-47a5-8af3-f55d0ff84d55>1, single",
        "1>gnulinux-6.1.0-56-cloud-amd64-recovery-570f105e-b4ad-47a5-8af3-f55d0ff84d55, single",
        "'Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 6.1.0-56-cloud-amd64', console=tty0",
        "1, console=tty0",
        "no such entry, console=tty0",
        "99, console=tty0"
    })
    void bootsTheEntryThatWasSaved(String saved, String thirdArgument) {
        String script = resource("debian-12.cfg").replace("set default=\"0\"", "set default=\"${saved_entry}\"");
        FakeFiles files = root().with("/boot/grub/grub.cfg", script)
                .with("/boot/grub/grubenv", "# GRUB Environment Block\nsaved_entry=" + saved + "\nother=x\n####")
                .withPaths("/boot/vmlinuz-6.1.0-56-cloud-amd64", "/boot/initrd.img-6.1.0-56-cloud-amd64");

        BootEntry entry = find(files.on(1)).orElseThrow();

        assertThat(entry.commandLine().split(" ")[2]).isEqualTo(thirdArgument);
    }

    @Test
    void findsKernelsOnABootPartitionOfTheirOwn() {
        Volume root = root().on(3);
        Volume boot = new FakeFiles("b007-0000", "BOOT")
                .with("/grub/grub.cfg", """
                        set default=0
                        search --no-floppy --fs-uuid --set=root B007-0000
                        menuentry 'x' { linux /vmlinuz root=LABEL=root ; initrd /initrd.img }
                        """)
                .withPaths("/vmlinuz", "/initrd.img")
                .on(2);

        BootEntry entry = find(boot, root).orElseThrow();

        assertThat(entry.kernel().path()).isEqualTo("/vmlinuz");
        assertThat(entry.initrds()).hasSize(1);
        assertThat(entry.commandLine()).isEqualTo("root=LABEL=root");
    }

    @Test
    void followsAStubToTheRealConfiguration() {
        Volume esp = new FakeFiles("AAAA-BBBB", "")
                .with("/boot/grub/grub.cfg", """
                        search.fs_uuid %s root
                        set prefix=($root)'/boot/grub2'
                        configfile $prefix/grub.cfg
                        """.formatted(ROOT_UUID))
                .on(1);
        Volume root = root().with("/boot/grub2/grub.cfg", "menuentry a { linux /k2 x=$prefix }")
                .on(2);

        BootEntry entry = find(esp, root).orElseThrow();

        assertThat(entry.kernel().path()).isEqualTo("/k2");
        assertThat(entry.commandLine()).isEqualTo("x=(hd0,gpt2)/boot/grub2");
    }

    @Test
    void readsFedorasEntriesThroughBlscfg() {
        FakeFiles files = root().with("/boot/grub2/grub.cfg", """
                        load_env
                        set default="${saved_entry}"
                        set kernelopts="root=UUID=1 ro quiet"
                        insmod blscfg
                        blscfg
                        """)
                .with("/boot/grub2/grubenv", "saved_entry=id-6.5.9\n")
                .with("/boot/loader/entries/id-6.5.9.conf", "title Old\nlinux /k1\ninitrd /i1 $tuned_initrd\n")
                .with(
                        "/boot/loader/entries/id-6.5.10.conf",
                        "title New\nversion 6.5.10\nlinux /k2\ninitrd /i1\ninitrd /i2\noptions $kernelopts x=1\n");

        assertThat(find(files.on(1)).orElseThrow().kernel().path()).isEqualTo("/k1");
        files.with("/boot/grub2/grubenv", "saved_entry=\n");
        BootEntry entry = find(files.on(1)).orElseThrow();
        assertThat(entry.kernel().path()).isEqualTo("/k2");
        assertThat(entry.commandLine()).isEqualTo("root=UUID=1 ro quiet x=1");
        assertThat(entry.initrds()).extracting(GuestFile::path).containsExactly("/i1", "/i2");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "if true; then linux /k1 yes; else linux /k1 no; fi | yes",
                "if [ -z \"$nothing\" -a x$feature_menuentry_id = xy ]; then linux /k1 yes; fi | yes",
                "if [ \"$a\" = b ]; then linux /k1 1; elif [ 2 -gt 1 ]; then linux /k1 2; else linux /k1 3; fi | 2",
                "if test -f /dir/file -a ! -e /dir/other; then linux /k1 yes; fi | yes",
                "if [ -d /dir ] ; then linux /k1 yes; fi | yes",
                "if [ -s (hd0,gpt1)/k1 ]; then linux /k1 yes; fi | yes",
                "for i in a b c; do linux /k1 $i; done | c",
                "for i in a b c; do if [ $i = c ]; then break; fi; linux /k1 $i; done | b",
                "for i in a b c; do if [ $i = c ]; then continue; fi; linux /k1 $i; done | b",
                "set n=x; while [ $n != xxxx ]; do set n=x$n; done; linux /k1 $n | xxxx",
                "set n=x; until [ $n = xxx ]; do set n=x$n; done; linux /k1 $n | xxx",
                "function f { linux /k1 \"$2\" $2 $#; }; f a 'b c' | \"b c\" b c 2",
                "function f { linux /k1 $1; return 1; linux /k1 no; }; f yes | yes",
                "set v='a  b'; linux /k1 $v \"$v\" x$v | a b \"a  b\" xa b",
                "set e=; linux /k1 $e '' \"$e\"x ${e}y | x y",
                "linux /k1 a\\ b \\$x 'c$d' \"\\$e\\\"f\" | \"a b\" $x c$d $e\"f",
                "linux /k1 a \\\\n  b # c | a b",
                "linux /k1 a#b =c | a#b =c",
                "a=1; linux /k1 $a; unset a; linux /k1 x$a | x",
                "search --file --set=r /k2; linux ($r)/k2 $r | hd0,gpt1",
                "search -l nope --set=r; linux /k1 $? | 1",
                "probe -u $root --set=u; linux /k1 $u | 570f105e-b4ad-47a5-8af3-f55d0ff84d55",
                "linux /k1 first; linux /missing second | first",
                "if [ ( a = a -o b = c ) -a d = d ]; then linux /k1 yes; fi | yes",
                "linux16 /k1 \"\" | ",
                "linuxefi (hd0,1)/k1 old | old",
            })
    void runsTheShellThatGrubHas(String body, String commandLine) {
        BootEntry entry = boot("menuentry 'x' {\n" + body.replace("\\n", "\n") + "\n}\n");

        assertThat(entry.commandLine()).isEqualTo(commandLine == null ? "" : commandLine);
    }

    @Test
    void triesTheNextEntryWhenTheDefaultOneStartsNoLinux() {
        BootEntry entry = boot("""
                set default=0
                menuentry 'Memory test' { linux16 /memtest }
                menuentry 'Other system' --class other { chainloader +1 }
                submenu 'More' { menuentry 'Deep' { linux /k3 } }
                """);

        assertThat(entry.title()).isEqualTo("Deep");
    }

    @Test
    void leavesAnInitrdThatIsMissingOut() {
        BootEntry entry = boot("menuentry x { linux /k1; initrd /gone }");

        assertThat(entry.initrds()).isEmpty();
    }

    @ParameterizedTest
    @Timeout(20)
    @ValueSource(
            strings = {
                "while true; do true; done",
                "function f { f; }; f",
                "function f { f; f; }; f",
                "set a=xxxxxxxxxxxxxxxx; while true; do set a=$a$a; done",
                "set a=\"x x x x x x x x x x x x x x\"; while true; do set a=\"$a $a\"; for i in $a $a; do true; done; done",
                "for i in 1 2 3 4 5 6 7 8 9; do for j in 1 2 3 4 5 6 7 8 9; do source /boot/grub/grub.cfg; done; done",
                "configfile /boot/grub/grub.cfg",
                "while true; do menuentry x { linux /k1 }; done",
                "while true; do blscfg /dir; done",
                "while true; do load_env -f /k1; done",
                "menuentry x { menuentry x { configfile /boot/grub/grub.cfg } }",
                "submenu x { source /boot/grub/grub.cfg }",
                "if if if if",
                "menuentry 'x' {",
                "}",
                "fi",
                "for",
                "for x",
                "function",
                "function f",
                "'",
                "\"$",
                "${",
                "$",
                "\\",
                "[",
                "[ ]",
                "[ ( ( ( ( ]",
                "[ ! ! ! ! ]",
                "set",
                "search",
                "search --hint",
                "probe --set",
                "menuentry --id",
                "load_env --file",
                "initrd /i1",
                "linux",
                "linux (hd0,gpt1",
                "linux ()",
                "!",
                "! ! ! !",
            })
    void endsWhateverTheScriptSays(String script) {
        assertThat(find(root().with("/boot/grub/grub.cfg", script).on(1))).isEmpty();
        assertThat(lookedFor.lines()).contains("/boot/grub/grub.cfg on partition 1");
    }

    @Test
    @Timeout(20)
    void refusesDeepNesting() {
        for (String opening :
                List.of("if true; then ", "while true; do ", "menuentry x { ", "if false; then true; elif ")) {
            assertThat(find(root().with("/boot/grub/grub.cfg", opening.repeat(20_000))
                            .on(1)))
                    .isEmpty();
            assertThat(lookedFor.lines()).contains("nested too deeply");
        }
    }

    @Test
    @Timeout(60)
    void endsOnDamagedScripts() {
        long seed = Long.getLong("kagami.seed", System.nanoTime());
        Random random = new Random(seed);
        String pristine = resource("debian-12.cfg");
        String alphabet = "{}[]()'\"$;\n\\#>= \0";
        for (int round = 0; round < 500; round++) {
            StringBuilder script = new StringBuilder(pristine);
            for (int change = random.nextInt(20); change >= 0; change--) {
                int at = random.nextInt(script.length());
                int other = random.nextInt(script.length());
                switch (random.nextInt(4)) {
                    case 0 -> script.setCharAt(at, alphabet.charAt(random.nextInt(alphabet.length())));
                    case 1 -> script.deleteCharAt(at);
                    case 2 -> script.insert(at, script.substring(other, Math.min(script.length(), other + 100)));
                    default -> script.setLength(Math.max(at, 100));
                }
            }
            try {
                find(root().with("/boot/grub/grub.cfg", script.toString()).on(1));
            } catch (RuntimeException | Error e) {
                throw new AssertionError("With -Dkagami.seed=" + seed + " in round " + round, e);
            }
        }
    }
}
