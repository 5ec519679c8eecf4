package dev.kagami.image.seed;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Sha512CryptTest {

    /** What {@code openssl passwd -6} prints; the first and last also stand in the specification. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "Hello world!|$6$saltstring"
                        + "|$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
                "ubuntu|$6$saltstring"
                        + "|$iWktIe3Yt63k.0kzrXgU8XLVUe1FXHsN6BiySyW630/F7YSs21H4DXf5CRJ8sja.ZqPVwdLjmo.iDDZedy06F1",
                "ä€ 密码 with a longer password than sixty-four bytes, so that digests repeat more than once in it"
                        + "|$6$saltstring"
                        + "|$AwXAa2DzCUfvczf.RXp4gMTT/xnoIFXyduzRsZfdVzR24R3F88IUvLvr/TsSxVeTgIAV8eIHXSEegr2u5HXlQ1",
                "Hello world!|$6$rounds=10000$saltstringsaltst"
                        + "|$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
            })
    void hashesAsTheSpecificationSays(String password, String settings, String hash) {
        assertThat(Sha512Crypt.crypt(password, settings)).isEqualTo(settings + hash);
    }

    @Test
    void cutsTheSaltOffAfterSixteenCharacters() {
        assertThat(Sha512Crypt.crypt("x", "$6$saltstringsaltstring")).startsWith("$6$saltstringsaltst$");
    }

    @Test
    void makesOneHashOfOnePasswordAndContext() {
        String hash = Sha512Crypt.hash("secret", "user host");

        assertThat(hash).matches("\\$6\\$[./0-9A-Za-z]{16}\\$[./0-9A-Za-z]{86}");
        assertThat(Sha512Crypt.hash("secret", "user host")).isEqualTo(hash);
        assertThat(Sha512Crypt.hash("secret", "user other").substring(0, 19)).isNotEqualTo(hash.substring(0, 19));
        assertThat(Sha512Crypt.hash("Secret", "user host").substring(0, 19)).isNotEqualTo(hash.substring(0, 19));
        assertThat(Sha512Crypt.crypt("secret", hash.substring(0, hash.lastIndexOf('$'))))
                .isEqualTo(hash);
    }
}
