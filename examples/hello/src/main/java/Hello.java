import dev.kagami.vm.VirtualMachine;

class Hello {
    public static void main(String[] args) throws Exception {
        try (VirtualMachine machine = VirtualMachine.create(c -> c.defaultGuest())) {
            machine.start();
            System.out.print(machine.exec("uname -sm; cat /proc/uptime").stdout());
        }
    }
}
