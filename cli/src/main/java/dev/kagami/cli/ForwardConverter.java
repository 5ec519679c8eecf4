package dev.kagami.cli;

import dev.kagami.vm.Network;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.TypeConversionException;

/** Reads {@code [ADDRESS:]HOSTPORT:GUESTPORT[/udp]}. */
final class ForwardConverter implements CommandLine.ITypeConverter<Network.Forward> {
    private static final Pattern FORM =
            Pattern.compile("(?:(\\[[^\\]]+\\]|[^:\\[\\]]+):)?(\\d{1,5}):(\\d{1,5})(?:/(tcp|udp))?");

    private static final int MAX_PORT = 65_535;

    @Override
    public Network.Forward convert(String text) {
        Matcher matcher = FORM.matcher(text);
        if (!matcher.matches()) {
            throw new TypeConversionException("'%s' is not [ADDRESS:]HOSTPORT:GUESTPORT[/udp]".formatted(text));
        }
        int hostPort = port(matcher.group(2), 0);
        int guestPort = port(matcher.group(3), 1);
        Network.Protocol protocol = "udp".equals(matcher.group(4)) ? Network.Protocol.UDP : Network.Protocol.TCP;
        return new Network.Forward(protocol, new InetSocketAddress(address(matcher.group(1)), hostPort), guestPort);
    }

    private static int port(String text, int least) {
        int port = Integer.parseInt(text);
        if (port < least || port > MAX_PORT) {
            throw new TypeConversionException("%d is no port; ports are %d to 65535".formatted(port, least));
        }
        return port;
    }

    private static InetAddress address(@Nullable String text) {
        if (text == null) {
            return InetAddress.getLoopbackAddress();
        }
        try {
            return InetAddress.getByName(text);
        } catch (UnknownHostException e) {
            throw new TypeConversionException("'%s' is no address of this host".formatted(text));
        }
    }
}
