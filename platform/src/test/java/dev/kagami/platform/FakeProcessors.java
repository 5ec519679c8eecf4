package dev.kagami.platform;

import dev.kagami.cpu.ExitReason;
import dev.kagami.cpu.Processors;
import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.VcpuStats;
import dev.kagami.cpu.X86State;
import java.util.ArrayList;
import java.util.List;

/** Processors that note down what reaches them. */
final class FakeProcessors implements Processors {
    final List<Integer> messages = new ArrayList<>();
    boolean external;
    int kicks;

    private final Vcpu vcpu = new Vcpu() {
        @Override
        public int index() {
            return 0;
        }

        @Override
        public ExitReason run() {
            return ExitReason.HALTED;
        }

        @Override
        public void kick() {
            kicks++;
        }

        @Override
        public String exitDetail() {
            return "";
        }

        @Override
        public X86State state() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void setState(X86State state) {
            throw new UnsupportedOperationException();
        }

        @Override
        public VcpuStats stats() {
            return new VcpuStats(0, 0, 0, 0, 0, 0, 0, 0);
        }
    };

    @Override
    public List<Vcpu> vcpus() {
        return List.of(vcpu);
    }

    @Override
    public synchronized void sendMessage(long address, int data) {
        messages.add(data);
    }

    @Override
    public synchronized void setExternalInterrupt(boolean asserted) {
        external = asserted;
    }

    @Override
    public void close() {}
}
