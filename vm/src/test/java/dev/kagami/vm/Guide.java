package dev.kagami.vm;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** The snippets of the package's page: compiled with the tests, so that they can't become wrong. */
final class Guide {
    private Guide() {}

    static void firstCommand() throws InterruptedException {
        // @start region=first
        try (VirtualMachine machine = VirtualMachine.create(c -> c.defaultGuest())) {
            machine.start();
            System.out.print(machine.exec("uname -a").stdout());
        }
        // @end
    }

    static VirtualMachine describe() {
        // @start region=describe
        VirtualMachine machine = VirtualMachine.create(c -> c.disk(Disk.temporary(Path.of("debian-12.qcow2")))
                .cloudInit(i -> i.hostname("foobar").password("ubuntu"))
                .network(Network.nat().forward(2222, 22))
                .cpus(2)
                .memory(MemorySize.ofGibibytes(1)));
        // @end
        return machine;
    }

    static void problems() {
        // @start region=problems
        VirtualMachineConfig config = VirtualMachineConfig.of(c -> c.cpus(0).disk(Disk.of(Path.of("missing.qcow2"))));
        for (Problem problem : config.validate()) {
            System.err.println(problem.path() + ": " + problem.message() + "; " + problem.hint());
        }
        // @end
    }

    static void commands(VirtualMachine machine) throws InterruptedException, IOException {
        // @start region=commands
        ExecResult result = machine.exec(
                "sort | tee /tmp/sorted",
                o -> o.stdin("b\na\n").directory("/tmp").timeout(Duration.ofSeconds(30)));
        if (result.exitStatus() == 0) {
            System.out.print(result.stdout());
        }
        machine.copyTo(Path.of("build/distribution"), "/opt/product");
        machine.copyFrom("/var/log", Path.of("build/logs"));
        Process log = machine.spawn("tail -f /var/log/product.log", o -> {});
        log.inputReader().lines().limit(10).forEach(System.out::println);
        log.destroyForcibly();
        // @end
    }

    static void console(VirtualMachine machine) throws InterruptedException {
        // @start region=console
        machine.console().awaitText("login: ", Duration.ofMinutes(5));
        machine.console().type("root\n");
        System.out.println(machine.console().screen());
        // @end
    }

    static void snapshots(VirtualMachine machine) throws InterruptedException {
        // @start region=snapshots
        try (Snapshot booted = machine.snapshot()) {
            for (int i = 0; i < 10; i++) {
                try (VirtualMachine branch = booted.restore(machine.config())) {
                    branch.resume();
                    branch.exec("rm -rf /etc");
                }
            }
        }
        // @end
    }

    static void end(VirtualMachine machine) throws InterruptedException {
        // @start region=end
        machine.requestStop();
        String text = switch (machine.awaitShutdown()) {
            case Outcome.PoweredOff() -> "the guest switched itself off";
            case Outcome.Reset() -> "the guest wanted to start over";
            case Outcome.Stopped() -> "stop() or close() was called";
            case Outcome.DebugExit(int status) -> "a test kernel ended with " + status;
            case Outcome.Crashed(Outcome.Reason reason, String detail) -> reason + ": " + detail;
        };
        System.out.println(text);
        // @end
    }
}
