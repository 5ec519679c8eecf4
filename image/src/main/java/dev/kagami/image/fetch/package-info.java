/** Gets disk images from elsewhere: downloads, digests, archives. */
package dev.kagami.image.fetch;
