package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.vm.Disk;
import dev.kagami.vm.DiskImage;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine.TypeConversionException;

final class DiskConverterTest {
    private final DiskConverter converter = new DiskConverter();

    @Test
    void aPlainPathIsADiskThatIsWritten() {
        assertThat(converter.convert("/a/b=c.img")).isEqualTo(Disk.of(Path.of("/a/b=c.img")));
        assertThat(converter.convert("file=x.img")).isEqualTo(Disk.of(Path.of("x.img")));
        assertThat(converter.convert("a,,b.img")).isEqualTo(Disk.of(Path.of("a,b.img")));
    }

    @Test
    void optionsFollowTheFile() {
        assertThat(converter.convert("x.img,readonly")).isEqualTo(Disk.readOnly(Path.of("x.img")));
        assertThat(converter.convert("x.img,temporary,size=1G"))
                .isEqualTo(Disk.temporary(Path.of("x.img")).grownTo(1L << 30));
        assertThat(converter.convert("file=x.img,overlay=y.qcow2,format=raw,serial=root,queues=4"))
                .isEqualTo(Disk.overlay(Path.of("x.img"), Path.of("y.qcow2"))
                        .withFormat(DiskImage.Format.RAW)
                        .withSerial("root")
                        .withQueues(4));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "x,fast|fast",
                "x,readonly,temporary|exclude",
                "x,overlay=y,ro|exclude",
                "x,queues=many|many",
                "x,format=vmdk|vmdk",
                "x,size=+1G|plus",
                "file=|no file",
                "x,readonly=1|readonly=1"
            })
    void nonsenseIsNamed(String value, String named) {
        assertThatThrownBy(() -> converter.convert(value))
                .isInstanceOf(TypeConversionException.class)
                .hasMessageContaining(named);
    }
}
