/**
 * Virtual machines for JUnit tests.
 *
 * {@snippet :
 * @VirtualMachineTest
 * class MountTest {
 *     @Machine
 *     static VirtualMachine shared;
 *
 *     @Test
 *     void tmpfsKeepsFiles() throws Exception {
 *         shared.exec("mount -t tmpfs none /mnt");
 *         assertEquals("kept\n", shared.exec("echo kept > /mnt/f; cat /mnt/f").stdout());
 *     }
 *
 *     @Test
 *     void aMachineOfItsOwn(@Machine(branch = true) VirtualMachine own) throws Exception {
 *         own.exec("rm -rf /etc");
 *     }
 * }
 * }
 *
 * <p>Machines are up, and answer {@link dev.kagami.vm.VirtualMachine#exec}, before the test begins, and are gone after it, or
 * after the class. When a test fails, its report gets what each machine's console shows, all of what it printed, and which
 * engine ran it and why.
 */
package dev.kagami.junit;
