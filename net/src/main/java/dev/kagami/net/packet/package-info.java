/** The Internet's packet formats: where the fields are, and how they are summed. */
package dev.kagami.net.packet;
