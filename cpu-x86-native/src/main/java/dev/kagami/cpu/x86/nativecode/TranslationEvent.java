package dev.kagami.cpu.x86.nativecode;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A block of guest code was translated. A boot has some hundred thousand, so a recording has to ask for them. */
@Name("dev.kagami.Translation")
@Label("Translation")
@Description("A block of guest code was translated to host code")
@Category("Kagami")
@StackTrace(false)
@Enabled(false)
final class TranslationEvent extends Event {
    @Label("Guest Address")
    long guestAddress;

    @Label("Guest Instructions")
    int instructions;

    @Label("Guest Bytes")
    int guestBytes;
}
