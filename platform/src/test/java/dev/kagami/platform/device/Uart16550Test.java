package dev.kagami.platform.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.platform.DeviceContractTest;
import dev.kagami.platform.bus.PcBus;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class Uart16550Test extends DeviceContractTest<Uart16550> {
    private static final int BASE = Uart16550.COM1_PORT;
    private static final int DATA = BASE;
    private static final int IER = BASE + 1;
    private static final int IIR = BASE + 2;
    private static final int LCR = BASE + 3;
    private static final int MCR = BASE + 4;
    private static final int LSR = BASE + 5;
    private static final int MSR = BASE + 6;
    private static final int SCR = BASE + 7;
    private static final long MILLISECOND = 1_000_000;

    private final ByteArrayOutputStream sent = new ByteArrayOutputStream();
    private final Uart16550 uart = create();

    @Override
    protected Uart16550 create() {
        return new Uart16550(timers, line, sent);
    }

    @Override
    protected void attach(Uart16550 device, PcBus bus) {
        bus.addPorts(BASE, 8, 1, device);
    }

    @Override
    protected List<Integer> ports() {
        return List.of(BASE, BASE + 4);
    }

    @Override
    protected List<Long> visibleState(PcBus bus) {
        return readPorts(bus, IER, IIR, LCR, MCR, MSR, SCR);
    }

    @Override
    protected void disturb(Uart16550 device, Random random) {
        // Nothing may be left over for the time after the reset, so only breaks and what the guest takes at once.
        device.sendBreak();
    }

    @AfterEach
    void close() {
        uart.close();
    }

    private int read(int port) {
        return uart.read(port, 1);
    }

    private void write(int port, int value) {
        uart.write(port, 1, value);
    }

    private void receive(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        assertThat(uart.send(bytes, 0, bytes.length)).isEqualTo(bytes.length);
    }

    @Test
    void reasonsComeInTheOrderOfTheirUrgency() {
        write(BASE + 2, 0x01);
        write(IER, 0x0F);
        timers.advance(MILLISECOND);
        write(MCR, 0x10);
        receive("a");
        write(MCR, 0x00);
        uart.sendBreak();
        // One character before the break, so that the break is at the head only after a read.
        assertThat(read(IIR)).isEqualTo(0xC4);
        assertThat(read(DATA)).isEqualTo('a');
        assertThat(read(IIR)).as("line status").isEqualTo(0xC6);
        assertThat(read(LSR) & 0x91).isEqualTo(0x91);
        assertThat(read(IIR)).as("received").isEqualTo(0xC4);
        assertThat(read(DATA)).isZero();
        assertThat(read(IIR)).as("transmitter empty").isEqualTo(0xC2);
        assertThat(read(IIR)).as("modem status").isEqualTo(0xC0);
        assertThat(line.asserted()).isTrue();
        assertThat(read(MSR) & 0x0F).isNotZero();
        assertThat(read(IIR)).isEqualTo(0xC1);
        assertThat(line.asserted()).isFalse();
    }

    @Test
    void enablingTheTransmitterInterruptRaisesItEachTime() {
        for (int i = 0; i < 2; i++) {
            write(IER, 0x02);
            assertThat(line.asserted()).isTrue();
            assertThat(read(IIR)).isEqualTo(0x02);
            assertThat(line.asserted()).isFalse();
            assertThat(read(IIR)).isEqualTo(0x01);
            write(IER, 0);
        }
    }

    @Test
    void transmitterInterruptsOnceForABurst() {
        write(BASE + 2, 0x01);
        write(IER, 0x02);
        read(IIR);
        line.takeEdges();
        for (int i = 0; i < 16; i++) {
            write(DATA, 'x');
        }
        assertThat(line.asserted()).isFalse();
        timers.advance(MILLISECOND);

        assertThat(line.takeEdges()).isEqualTo(1);
        assertThat(read(IIR)).isEqualTo(0xC2);
        uart.drain();
        assertThat(sent.size()).isEqualTo(16);
    }

    @Test
    void fullFifoInterruptsAtItsTriggerLevel() {
        write(BASE + 2, 0x81);
        write(IER, 0x01);
        timers.advance(MILLISECOND);
        receive("1234567");
        assertThat(line.asserted()).isFalse();
        receive("8");
        assertThat(read(IIR)).isEqualTo(0xC4);
        read(DATA);
        assertThat(line.asserted()).isFalse();
    }

    @Test
    void fifoBelowItsTriggerLevelTimesOut() {
        write(BASE + 2, 0xC1);
        write(IER, 0x01);
        receive("ab");
        assertThat(line.asserted()).isFalse();
        timers.advance(MILLISECOND);
        assertThat(read(IIR)).isEqualTo(0xCC);
        assertThat(read(DATA)).isEqualTo('a');
        assertThat(read(IIR)).isEqualTo(0xC1);
        timers.advance(MILLISECOND);
        assertThat(read(IIR)).isEqualTo(0xCC);
        assertThat(read(DATA)).isEqualTo('b');
        timers.advance(MILLISECOND);
        assertThat(line.asserted()).isFalse();
    }

    @Test
    void inputArrivesAtLineSpeedAndIsNeverOverrun() {
        write(BASE + 2, 0x01);
        String text = "0123456789".repeat(50);
        receive(text);
        StringBuilder got = new StringBuilder();
        int bursts = 0;
        while (got.length() < text.length()) {
            while ((read(LSR) & 1) != 0) {
                got.append((char) read(DATA));
            }
            assertThat(read(LSR) & 0x02).isZero();
            bursts++;
            timers.advance(2 * MILLISECOND);
        }
        assertThat(got).hasToString(text);
        assertThat(bursts).isGreaterThan(30);
    }

    @Test
    void inputWaitsForAGuestThatListens() {
        receive("typed early");
        // What a driver does to find out what the port is, and to set it up.
        for (int i = 0; i < 3; i++) {
            write(IER, 0x0F);
            write(IER, 0x00);
            write(BASE + 2, 0x07);
            timers.advance(MILLISECOND);
            assertThat(read(LSR) & 0x01).isZero();
            assertThat(read(DATA)).isZero();
        }
        write(IER, 0x01);
        timers.advance(MILLISECOND);
        // The FIFO comes last in some drivers, when the first character is there already.
        write(BASE + 2, 0x01);
        write(BASE + 2, 0x83);
        StringBuilder got = new StringBuilder();
        timers.advance(MILLISECOND);
        while ((read(LSR) & 1) != 0) {
            got.append((char) read(DATA));
        }
        assertThat(got).hasToString("typed early");
    }

    @Test
    void loopbackReceivesWhatItSendsAndMirrorsModemLines() {
        assertThat(read(MSR) & 0xF0).isEqualTo(0xB0);
        write(BASE + 2, 0x01);
        write(MCR, 0x1A);
        assertThat(read(MSR) & 0xF0).isEqualTo(0x90);
        for (int i = 0; i < 17; i++) {
            write(DATA, i);
        }
        assertThat(read(LSR) & 0x03).as("data and overrun").isEqualTo(0x03);
        assertThat(read(LSR) & 0x03).isEqualTo(0x01);
        for (int i = 0; i < 16; i++) {
            assertThat(read(DATA)).isEqualTo(i);
        }
        uart.drain();
        assertThat(sent.size()).isZero();
        // The end of a ring, not its beginning, is announced.
        write(MCR, 0x14);
        assertThat(read(MSR) & 0x04).isZero();
        write(MCR, 0x10);
        assertThat(read(MSR) & 0x04).isNotZero();
    }

    @Test
    void divisorHidesBehindItsAccessBit() {
        write(LCR, 0x83);
        write(DATA, 0x0C);
        write(IER, 0x01);
        assertThat(read(DATA)).isEqualTo(0x0C);
        assertThat(read(IER)).isEqualTo(0x01);
        write(LCR, 0x03);
        assertThat(read(IER)).isZero();
        write(SCR, 0xA5);
        assertThat(read(SCR)).isEqualTo(0xA5);
    }

    @Test
    void slowTerminalHoldsTheDriverBackAndLosesNothing() throws InterruptedException {
        CountDownLatch release = new CountDownLatch(1);
        ByteArrayOutputStream slow = new ByteArrayOutputStream();
        OutputStream stuck = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                write(new byte[] {(byte) b}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                try {
                    release.await();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
                slow.write(bytes, offset, length);
            }
        };
        Uart16550 port = new Uart16550(timers, line, stuck);
        port.write(BASE + 2, 1, 0x01);
        int written = 0;
        while ((port.read(LSR, 1) & 0x20) != 0) {
            for (int i = 0; i < 16; i++) {
                port.write(DATA, 1, written++);
            }
            assertThat(written).as("no back-pressure").isLessThan(1 << 20);
        }
        port.write(IER, 1, 0x02);
        assertThat(line.asserted()).isFalse();

        release.countDown();
        for (int i = 0; i < 5000 && !line.asserted(); i++) {
            Thread.sleep(1);
        }
        assertThat(line.asserted()).as("the transmitter has room again").isTrue();
        port.close();
        assertThat(slow.size()).isEqualTo(written);
    }

    @Test
    void brokenTerminalDoesNotStopTheGuest() {
        OutputStream broken = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("gone");
            }
        };
        Uart16550 port = new Uart16550(timers, line, broken);
        for (int i = 0; i < 100; i++) {
            port.write(DATA, 1, 'x');
        }
        port.close();
        assertThat(port.read(LSR, 1) & 0x60).isEqualTo(0x60);
    }

    @Test
    void inputStreamFailsAfterClose() throws IOException {
        OutputStream input = uart.input();
        write(IER, 0x01);
        timers.advance(MILLISECOND);
        input.write('a');
        assertThat(read(DATA)).isEqualTo('a');
        uart.close();
        assertThatThrownBy(() -> input.write('b')).isInstanceOf(IOException.class);
    }
}
