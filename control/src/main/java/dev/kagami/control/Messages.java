package dev.kagami.control;

import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.ExecResult;
import dev.kagami.vm.GuestTerminal;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.MachineStateException;
import dev.kagami.vm.MemoryBalloon;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Network;
import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachineStats;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What goes over a control socket, as JSON objects; {@code openapi.json} describes it. */
final class Messages {
    static final String UPGRADE = "kagami-console";
    private static final int MAX_PORT = 65_535;
    private static final int MAX_SIZE = 65_535;
    private static final long MAX_TIMEOUT = 365L * 24 * 60 * 60;
    private static final long USUAL_TIMEOUT = 300;

    private Messages() {}

    static Map<String, Object> ofError(String code, String message, String hint) {
        Map<String, Object> error = new LinkedHashMap<>();
        error.put("code", code);
        error.put("message", message);
        error.put("hint", hint);
        return error;
    }

    static Map<String, Object> ofError(MachineStateException e) {
        return ofError(ErrorCode.WRONG_STATE.name(), String.valueOf(e.getMessage()), "see its state with: kagami ps");
    }

    static Map<String, Object> ofWrongRequest(String message) {
        return ofError("BAD_REQUEST", message, "GET /v1/openapi.json describes what there is");
    }

    static KagamiException toException(Map<String, Object> error) {
        String code = text(error, "code", "");
        ErrorCode known = ErrorCode.CONTROL_FAILED;
        for (ErrorCode each : ErrorCode.values()) {
            if (each.name().equals(code)) {
                known = each;
            }
        }
        return new KagamiException(
                known, text(error, "message", "no reason given"), text(error, "hint", "see its log"));
    }

    static Map<String, Object> ofForward(Network.Forward forward) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("protocol", forward.protocol().name().toLowerCase(Locale.ROOT));
        object.put("address", forward.local().getAddress().getHostAddress());
        object.put("hostPort", forward.local().getPort());
        object.put("guestPort", forward.guestPort());
        return object;
    }

    /**
     * Reads a forward.
     *
     * @throws IllegalArgumentException if it is none
     */
    static Network.Forward toForward(Map<String, Object> object) {
        return new Network.Forward(
                protocol(text(object, "protocol", "tcp")),
                local(text(object, "address", "127.0.0.1"), Long.toString(number(object, "hostPort", 0, MAX_PORT))),
                (int) number(object, "guestPort", 1, MAX_PORT));
    }

    static Network.Protocol protocol(String name) {
        return switch (name) {
            case "tcp" -> Network.Protocol.TCP;
            case "udp" -> Network.Protocol.UDP;
            default -> throw new IllegalArgumentException("protocol must be tcp or udp");
        };
    }

    static InetSocketAddress local(String address, String port) {
        if (!port.matches("\\d{1,5}") || Integer.parseInt(port) > MAX_PORT) {
            throw new IllegalArgumentException("hostPort must be 0 to " + MAX_PORT);
        }
        return new InetSocketAddress(InetAddress.ofLiteral(address), Integer.parseInt(port));
    }

    static Map<String, Object> ofMachine(String name, VirtualMachine machine) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("name", name);
        object.put("state", machine.state().name());
        object.put("pid", ProcessHandle.current().pid());
        object.put("engine", machine.engine());
        object.put("engineReason", machine.engineReason());
        object.put("cpus", machine.config().cpus());
        object.put("memoryBytes", machine.config().memory().bytes());
        object.put("uptimeMillis", machine.stats().running().toMillis());
        object.put(
                "forwards", machine.forwards().stream().map(Messages::ofForward).toList());
        return object;
    }

    static MachineStatus toMachine(Map<String, Object> object) {
        return new MachineStatus(
                text(object, "name", ""),
                VirtualMachine.State.valueOf(text(object, "state", "")),
                number(object, "pid", 0, Long.MAX_VALUE),
                text(object, "engine", ""),
                text(object, "engineReason", ""),
                (int) number(object, "cpus", 1, Integer.MAX_VALUE),
                number(object, "memoryBytes", 0, Long.MAX_VALUE),
                Duration.ofMillis(number(object, "uptimeMillis", 0, Long.MAX_VALUE)),
                toForwards(object));
    }

    static List<Network.Forward> toForwards(Map<String, Object> object) {
        if (object.get("forwards") instanceof List<?> list) {
            return list.stream()
                    .map(item -> {
                        if (item instanceof Map<?, ?> map) {
                            return toForward(members(map));
                        }
                        throw new IllegalArgumentException("forwards must be objects");
                    })
                    .toList();
        }
        throw new IllegalArgumentException("forwards must be an array");
    }

    static Map<String, Object> ofMetrics(VirtualMachineStats stats) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("runningMillis", stats.running().toMillis());
        object.put("instructions", stats.instructions());
        object.put("portReads", stats.portReads());
        object.put("portWrites", stats.portWrites());
        object.put("mmioReads", stats.mmioReads());
        object.put("mmioWrites", stats.mmioWrites());
        object.put("halts", stats.halts());
        object.put("interrupts", stats.interrupts());
        object.put("exceptions", stats.exceptions());
        object.put("resets", stats.resets());
        return object;
    }

    static Map<String, Object> ofBalloon(MemoryBalloon balloon) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("sizeBytes", balloon.size().bytes());
        object.put("returnedBytes", balloon.returnedBytes());
        return object;
    }

    static MemorySize toMemory(Map<String, Object> object, String member) {
        return new MemorySize(number(object, member, 1, Long.MAX_VALUE));
    }

    static Map<String, Object> ofResult(ExecResult result) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("exitStatus", result.exitStatus());
        object.put("stdout", Base64.getEncoder().encodeToString(result.stdoutBytes()));
        object.put("stderr", Base64.getEncoder().encodeToString(result.stderrBytes()));
        return object;
    }

    static CommandResult toResult(Map<String, Object> object) {
        return new CommandResult(
                (int) number(object, "exitStatus", Integer.MIN_VALUE, Integer.MAX_VALUE),
                bytes(object, "stdout"),
                bytes(object, "stderr"));
    }

    /** {@return what a member holds in base 64 (RFC 4648, 4)} */
    static byte[] bytes(Map<String, Object> object, String member) {
        String text = text(object, member, "");
        try {
            return Base64.getDecoder().decode(text);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(member + " must be in base 64: " + e.getMessage(), e);
        }
    }

    static Duration timeout(Map<String, Object> object, String member) {
        return Duration.ofSeconds(object.containsKey(member) ? number(object, member, 1, MAX_TIMEOUT) : USUAL_TIMEOUT);
    }

    /** {@return the terminal that a command is to have, or null} */
    static @Nullable GuestTerminal toTerminal(Map<String, Object> object) {
        Object value = object.get("terminal");
        if (value == null) {
            return null;
        }
        if (value instanceof Map<?, ?> map) {
            Map<String, Object> terminal = members(map);
            return new GuestTerminal(
                    text(terminal, "type", "xterm"),
                    new GuestTerminal.Size((int) number(terminal, "columns", 1, MAX_SIZE), (int)
                            number(terminal, "rows", 1, MAX_SIZE)));
        }
        throw new IllegalArgumentException("terminal must be an object");
    }

    static Map<String, Object> ofTerminal(GuestTerminal terminal) {
        GuestTerminal.Size size = terminal.size();
        return Map.of("type", terminal.type(), "columns", size.columns(), "rows", size.rows());
    }

    private static Map<String, Object> members(Map<?, ?> map) {
        Map<String, Object> members = new LinkedHashMap<>();
        map.forEach((key, value) -> members.put(String.valueOf(key), value));
        return members;
    }

    static String text(Map<String, Object> object, String member, String otherwise) {
        Object value = object.get(member);
        if (value == null) {
            return otherwise;
        }
        if (value instanceof String string) {
            return string;
        }
        throw new IllegalArgumentException(member + " must be a text");
    }

    static boolean flag(Map<String, Object> object, String member) {
        Object value = object.get(member);
        if (value == null || value instanceof Boolean) {
            return Boolean.TRUE.equals(value);
        }
        throw new IllegalArgumentException(member + " must be true or false");
    }

    private static long number(Map<String, Object> object, String member, long least, long most) {
        Object value = object.get(member);
        if ((value instanceof Integer || value instanceof Long)
                && ((Number) value).longValue() >= least
                && ((Number) value).longValue() <= most) {
            return ((Number) value).longValue();
        }
        throw new IllegalArgumentException("%s must be a whole number, %d to %d".formatted(member, least, most));
    }
}
