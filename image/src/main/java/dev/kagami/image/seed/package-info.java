/** Makes the files of a cloud-init seed: YAML and password hashes. */
package dev.kagami.image.seed;
