package dev.kagami.cpu.x86.decode;

import org.jspecify.annotations.Nullable;

/**
 * The EVEX-encoded instructions: AVX-512 F, CD, BW, DQ and VL, IFMA, VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ, and the EVEX forms of
 * GFNI, VAES and VPCLMULQDQ (SDM 2B to 2D).
 */
final class EvexForms {
    private static final int MAPS = 3;
    private static final int OPCODES = 256;
    private static final int GROUPS = 8;

    /** Opcodes of map 0F that ModRM.reg extends: the shifts by an immediate. */
    private static final int FIRST_GROUP = 0x71;

    private static final int LAST_GROUP = 0x73;

    /**
     * A line for each instruction: mandatory prefix, map, EVEX.W ({@code *} when it is ignored), opcode with {@code /n} for one that
     * ModRM.reg extends, name, and what {@link EvexForm} makes of the rest: memory operand, operands, properties.
     */
    private static final String TABLE = """
            -  1 0 10 vmovups FM4 V-V
            -  1 0 11 vmovups FM4 V-V store
            66 1 1 10 vmovupd FM8 V-V
            66 1 1 11 vmovupd FM8 V-V store
            F3 1 0 10 vmovss T4 VVV scalar move
            F3 1 0 11 vmovss T4 VVV scalar move store
            F2 1 1 10 vmovsd T8 VVV scalar move
            F2 1 1 11 vmovsd T8 VVV scalar move store
            -  1 0 12 vmovlps T8 VVV 128 plain
            66 1 1 12 vmovlpd T8 VVV 128 plain memory
            F3 1 0 12 vmovsldup FM4 V-V whole
            F2 1 1 12 vmovddup DD8 V-V whole
            -  1 0 13 vmovlps T8 V-V 128 plain memory store
            66 1 1 13 vmovlpd T8 V-V 128 plain memory store
            -  1 0 14 vunpcklps FV4 VVV whole
            66 1 1 14 vunpcklpd FV8 VVV whole
            -  1 0 15 vunpckhps FV4 VVV whole
            66 1 1 15 vunpckhpd FV8 VVV whole
            -  1 0 16 vmovhps T8 VVV 128 plain
            66 1 1 16 vmovhpd T8 VVV 128 plain memory
            F3 1 0 16 vmovshdup FM4 V-V whole
            -  1 0 17 vmovhps T8 V-V 128 plain memory store
            66 1 1 17 vmovhpd T8 V-V 128 plain memory store
            -  1 0 28 vmovaps FM4 V-V aligned
            -  1 0 29 vmovaps FM4 V-V aligned store
            66 1 1 28 vmovapd FM8 V-V aligned
            66 1 1 29 vmovapd FM8 V-V aligned store
            F3 1 0 2A vcvtsi2ss T4 VVG scalar plain round
            F3 1 1 2A vcvtsi2ss T8:4 VVG scalar plain round
            F2 1 0 2A vcvtsi2sd T4:8 VVG scalar plain round
            F2 1 1 2A vcvtsi2sd T8 VVG scalar plain round
            -  1 0 2B vmovntps FM4 V-V plain memory store aligned
            66 1 1 2B vmovntpd FM8 V-V plain memory store aligned
            F3 1 * 2C vcvttss2si T4 G-V scalar plain sae
            F2 1 * 2C vcvttsd2si T8 G-V scalar plain sae
            F3 1 * 2D vcvtss2si T4 G-V scalar plain round
            F2 1 * 2D vcvtsd2si T8 G-V scalar plain round
            -  1 0 2E vucomiss T4 V-V scalar plain sae
            66 1 1 2E vucomisd T8 V-V scalar plain sae
            -  1 0 2F vcomiss T4 V-V scalar plain sae
            66 1 1 2F vcomisd T8 V-V scalar plain sae
            -  1 0 51 vsqrtps FV4 V-V round
            66 1 1 51 vsqrtpd FV8 V-V round
            F3 1 0 51 vsqrtss T4 VVV scalar round
            F2 1 1 51 vsqrtsd T8 VVV scalar round
            -  1 0 54 vandps FV4 VVV
            66 1 1 54 vandpd FV8 VVV
            -  1 0 55 vandnps FV4 VVV
            66 1 1 55 vandnpd FV8 VVV
            -  1 0 56 vorps FV4 VVV
            66 1 1 56 vorpd FV8 VVV
            -  1 0 57 vxorps FV4 VVV
            66 1 1 57 vxorpd FV8 VVV
            -  1 0 58 vaddps FV4 VVV round
            66 1 1 58 vaddpd FV8 VVV round
            F3 1 0 58 vaddss T4 VVV scalar round
            F2 1 1 58 vaddsd T8 VVV scalar round
            -  1 0 59 vmulps FV4 VVV round
            66 1 1 59 vmulpd FV8 VVV round
            F3 1 0 59 vmulss T4 VVV scalar round
            F2 1 1 59 vmulsd T8 VVV scalar round
            -  1 0 5A vcvtps2pd HV4:8 V-V sae
            66 1 1 5A vcvtpd2ps FV8:4 V-V round
            F3 1 0 5A vcvtss2sd T4:8 VVV scalar sae
            F2 1 1 5A vcvtsd2ss T8:4 VVV scalar round
            -  1 0 5B vcvtdq2ps FV4 V-V round
            -  1 1 5B vcvtqq2ps FV8:4 V-V round
            66 1 0 5B vcvtps2dq FV4 V-V round
            F3 1 0 5B vcvttps2dq FV4 V-V sae
            -  1 0 5C vsubps FV4 VVV round
            66 1 1 5C vsubpd FV8 VVV round
            F3 1 0 5C vsubss T4 VVV scalar round
            F2 1 1 5C vsubsd T8 VVV scalar round
            -  1 0 5D vminps FV4 VVV sae
            66 1 1 5D vminpd FV8 VVV sae
            F3 1 0 5D vminss T4 VVV scalar sae
            F2 1 1 5D vminsd T8 VVV scalar sae
            -  1 0 5E vdivps FV4 VVV round
            66 1 1 5E vdivpd FV8 VVV round
            F3 1 0 5E vdivss T4 VVV scalar round
            F2 1 1 5E vdivsd T8 VVV scalar round
            -  1 0 5F vmaxps FV4 VVV sae
            66 1 1 5F vmaxpd FV8 VVV sae
            F3 1 0 5F vmaxss T4 VVV scalar sae
            F2 1 1 5F vmaxsd T8 VVV scalar sae
            66 1 * 60 vpunpcklbw FM1 VVV whole
            66 1 * 61 vpunpcklwd FM2 VVV whole
            66 1 0 62 vpunpckldq FV4 VVV whole
            66 1 * 63 vpacksswb FM1 VVV whole
            66 1 * 64 vpcmpgtb FM1 KVV
            66 1 * 65 vpcmpgtw FM2 KVV
            66 1 0 66 vpcmpgtd FV4 KVV
            66 1 * 67 vpackuswb FM1 VVV whole
            66 1 * 68 vpunpckhbw FM1 VVV whole
            66 1 * 69 vpunpckhwd FM2 VVV whole
            66 1 0 6A vpunpckhdq FV4 VVV whole
            66 1 0 6B vpackssdw FV4:2 VVV whole
            66 1 1 6C vpunpcklqdq FV8 VVV whole
            66 1 1 6D vpunpckhqdq FV8 VVV whole
            66 1 0 6E vmovd T4 V-G 128 plain
            66 1 1 6E vmovq T8 V-G 128 plain
            66 1 0 6F vmovdqa32 FM4 V-V aligned
            66 1 1 6F vmovdqa64 FM8 V-V aligned
            F3 1 0 6F vmovdqu32 FM4 V-V
            F3 1 1 6F vmovdqu64 FM8 V-V
            F2 1 0 6F vmovdqu8 FM1 V-V
            F2 1 1 6F vmovdqu16 FM2 V-V
            66 1 0 70 vpshufd FV4 V-V whole
            F3 1 * 70 vpshufhw FM2 V-V whole
            F2 1 * 70 vpshuflw FM2 V-V whole
            66 1 * 71/2 vpsrlw FM2 /VV
            66 1 * 71/4 vpsraw FM2 /VV
            66 1 * 71/6 vpsllw FM2 /VV
            66 1 0 72/0 vprord FV4 /VV
            66 1 1 72/0 vprorq FV8 /VV
            66 1 0 72/1 vprold FV4 /VV
            66 1 1 72/1 vprolq FV8 /VV
            66 1 0 72/2 vpsrld FV4 /VV
            66 1 0 72/4 vpsrad FV4 /VV
            66 1 1 72/4 vpsraq FV8 /VV
            66 1 0 72/6 vpslld FV4 /VV
            66 1 1 73/2 vpsrlq FV8 /VV
            66 1 * 73/3 vpsrldq FM1 /VV plain
            66 1 1 73/6 vpsllq FV8 /VV
            66 1 * 73/7 vpslldq FM1 /VV plain
            66 1 * 74 vpcmpeqb FM1 KVV
            66 1 * 75 vpcmpeqw FM2 KVV
            66 1 0 76 vpcmpeqd FV4 KVV
            -  1 0 78 vcvttps2udq FV4 V-V sae
            -  1 1 78 vcvttpd2udq FV8:4 V-V sae
            66 1 0 78 vcvttps2uqq HV4:8 V-V sae
            66 1 1 78 vcvttpd2uqq FV8 V-V sae
            F3 1 * 78 vcvttss2usi T4 G-V scalar plain sae
            F2 1 * 78 vcvttsd2usi T8 G-V scalar plain sae
            -  1 0 79 vcvtps2udq FV4 V-V round
            -  1 1 79 vcvtpd2udq FV8:4 V-V round
            66 1 0 79 vcvtps2uqq HV4:8 V-V round
            66 1 1 79 vcvtpd2uqq FV8 V-V round
            F3 1 * 79 vcvtss2usi T4 G-V scalar plain round
            F2 1 * 79 vcvtsd2usi T8 G-V scalar plain round
            66 1 0 7A vcvttps2qq HV4:8 V-V sae
            66 1 1 7A vcvttpd2qq FV8 V-V sae
            F3 1 0 7A vcvtudq2pd HV4:8 V-V round
            F3 1 1 7A vcvtuqq2pd FV8 V-V round
            F2 1 0 7A vcvtudq2ps FV4 V-V round
            F2 1 1 7A vcvtuqq2ps FV8:4 V-V round
            66 1 0 7B vcvtps2qq HV4:8 V-V round
            66 1 1 7B vcvtpd2qq FV8 V-V round
            F3 1 0 7B vcvtusi2ss T4 VVG scalar plain round
            F3 1 1 7B vcvtusi2ss T8:4 VVG scalar plain round
            F2 1 0 7B vcvtusi2sd T4:8 VVG scalar plain round
            F2 1 1 7B vcvtusi2sd T8 VVG scalar plain round
            66 1 0 7E vmovd T4 V-G 128 plain store
            66 1 1 7E vmovq T8 V-G 128 plain store
            F3 1 1 7E vmovq T8 V-V 128 plain
            66 1 0 7F vmovdqa32 FM4 V-V aligned store
            66 1 1 7F vmovdqa64 FM8 V-V aligned store
            F3 1 0 7F vmovdqu32 FM4 V-V store
            F3 1 1 7F vmovdqu64 FM8 V-V store
            F2 1 0 7F vmovdqu8 FM1 V-V store
            F2 1 1 7F vmovdqu16 FM2 V-V store
            -  1 0 C2 vcmpps FV4 KVV sae
            66 1 1 C2 vcmppd FV8 KVV sae
            F3 1 0 C2 vcmpss T4 KVV scalar sae
            F2 1 1 C2 vcmpsd T8 KVV scalar sae
            66 1 * C4 vpinsrw T2 VVG 128 plain
            66 1 * C5 vpextrw T2 G-V 128 plain register
            -  1 0 C6 vshufps FV4 VVV whole
            66 1 1 C6 vshufpd FV8 VVV whole
            66 1 * D1 vpsrlw M16:2 VVV whole
            66 1 0 D2 vpsrld M16:4 VVV whole
            66 1 1 D3 vpsrlq M16:8 VVV whole
            66 1 1 D4 vpaddq FV8 VVV
            66 1 * D5 vpmullw FM2 VVV
            66 1 1 D6 vmovq T8 V-V 128 plain store
            66 1 * D8 vpsubusb FM1 VVV
            66 1 * D9 vpsubusw FM2 VVV
            66 1 * DA vpminub FM1 VVV
            66 1 0 DB vpandd FV4 VVV
            66 1 1 DB vpandq FV8 VVV
            66 1 * DC vpaddusb FM1 VVV
            66 1 * DD vpaddusw FM2 VVV
            66 1 * DE vpmaxub FM1 VVV
            66 1 0 DF vpandnd FV4 VVV
            66 1 1 DF vpandnq FV8 VVV
            66 1 * E0 vpavgb FM1 VVV
            66 1 * E1 vpsraw M16:2 VVV whole
            66 1 0 E2 vpsrad M16:4 VVV whole
            66 1 1 E2 vpsraq M16:8 VVV whole
            66 1 * E3 vpavgw FM2 VVV
            66 1 * E4 vpmulhuw FM2 VVV
            66 1 * E5 vpmulhw FM2 VVV
            F3 1 0 E6 vcvtdq2pd HV4:8 V-V round
            F3 1 1 E6 vcvtqq2pd FV8 V-V round
            66 1 1 E6 vcvttpd2dq FV8:4 V-V sae
            F2 1 1 E6 vcvtpd2dq FV8:4 V-V round
            66 1 0 E7 vmovntdq FM4 V-V plain memory store aligned
            66 1 * E8 vpsubsb FM1 VVV
            66 1 * E9 vpsubsw FM2 VVV
            66 1 * EA vpminsw FM2 VVV
            66 1 0 EB vpord FV4 VVV
            66 1 1 EB vporq FV8 VVV
            66 1 * EC vpaddsb FM1 VVV
            66 1 * ED vpaddsw FM2 VVV
            66 1 * EE vpmaxsw FM2 VVV
            66 1 0 EF vpxord FV4 VVV
            66 1 1 EF vpxorq FV8 VVV
            66 1 * F1 vpsllw M16:2 VVV whole
            66 1 0 F2 vpslld M16:4 VVV whole
            66 1 1 F3 vpsllq M16:8 VVV whole
            66 1 1 F4 vpmuludq FV8 VVV
            66 1 * F5 vpmaddwd FM4 VVV whole
            66 1 * F6 vpsadbw FM1 VVV plain
            66 1 * F8 vpsubb FM1 VVV
            66 1 * F9 vpsubw FM2 VVV
            66 1 0 FA vpsubd FV4 VVV
            66 1 1 FB vpsubq FV8 VVV
            66 1 * FC vpaddb FM1 VVV
            66 1 * FD vpaddw FM2 VVV
            66 1 0 FE vpaddd FV4 VVV
            66 2 * 00 vpshufb FM1 VVV whole
            66 2 * 04 vpmaddubsw FM2 VVV whole
            66 2 * 0B vpmulhrsw FM2 VVV
            66 2 0 0C vpermilps FV4 VVV whole
            66 2 1 0D vpermilpd FV8 VVV whole
            66 2 1 10 vpsrlvw FM2 VVV
            F3 2 0 10 vpmovuswb HM1 V-V store
            66 2 1 11 vpsravw FM2 VVV
            F3 2 0 11 vpmovusdb QM1 V-V store
            66 2 1 12 vpsllvw FM2 VVV
            F3 2 0 12 vpmovusqb OM1 V-V store
            66 2 0 13 vcvtph2ps HM2:4 V-V sae
            F3 2 0 13 vpmovusdw HM2 V-V store
            66 2 0 14 vprorvd FV4 VVV
            66 2 1 14 vprorvq FV8 VVV
            F3 2 0 14 vpmovusqw QM2 V-V store
            66 2 0 15 vprolvd FV4 VVV
            66 2 1 15 vprolvq FV8 VVV
            F3 2 0 15 vpmovusqd HM4 V-V store
            66 2 0 16 vpermps FV4 VVV wide whole
            66 2 1 16 vpermpd FV8 VVV wide whole
            66 2 0 18 vbroadcastss T4 V-V
            66 2 0 19 vbroadcastf32x2 T8:4 V-V wide
            66 2 1 19 vbroadcastsd T8 V-V wide
            66 2 0 1A vbroadcastf32x4 T16:4 V-V wide memory
            66 2 1 1A vbroadcastf64x2 T16:8 V-V wide memory
            66 2 0 1B vbroadcastf32x8 T32:4 V-V 512 memory
            66 2 1 1B vbroadcastf64x4 T32:8 V-V 512 memory
            66 2 * 1C vpabsb FM1 V-V
            66 2 * 1D vpabsw FM2 V-V
            66 2 0 1E vpabsd FV4 V-V
            66 2 1 1F vpabsq FV8 V-V
            66 2 * 20 vpmovsxbw HM1:2 V-V
            F3 2 0 20 vpmovswb HM1 V-V store
            66 2 * 21 vpmovsxbd QM1:4 V-V
            F3 2 0 21 vpmovsdb QM1 V-V store
            66 2 * 22 vpmovsxbq OM1:8 V-V
            F3 2 0 22 vpmovsqb OM1 V-V store
            66 2 * 23 vpmovsxwd HM2:4 V-V
            F3 2 0 23 vpmovsdw HM2 V-V store
            66 2 * 24 vpmovsxwq QM2:8 V-V
            F3 2 0 24 vpmovsqw QM2 V-V store
            66 2 0 25 vpmovsxdq HM4:8 V-V
            F3 2 0 25 vpmovsqd HM4 V-V store
            66 2 0 26 vptestmb FM1 KVV
            66 2 1 26 vptestmw FM2 KVV
            F3 2 0 26 vptestnmb FM1 KVV
            F3 2 1 26 vptestnmw FM2 KVV
            66 2 0 27 vptestmd FV4 KVV
            66 2 1 27 vptestmq FV8 KVV
            F3 2 0 27 vptestnmd FV4 KVV
            F3 2 1 27 vptestnmq FV8 KVV
            66 2 1 28 vpmuldq FV8 VVV
            F3 2 0 28 vpmovm2b FM1 V-K plain register
            F3 2 1 28 vpmovm2w FM2 V-K plain register
            66 2 1 29 vpcmpeqq FV8 KVV
            F3 2 0 29 vpmovb2m FM1 K-V plain register
            F3 2 1 29 vpmovw2m FM2 K-V plain register
            66 2 0 2A vmovntdqa FM4 V-V plain memory aligned
            F3 2 1 2A vpbroadcastmb2q FM8 V-K plain register
            66 2 0 2B vpackusdw FV4:2 VVV whole
            66 2 0 2C vscalefps FV4 VVV round
            66 2 1 2C vscalefpd FV8 VVV round
            66 2 0 2D vscalefss T4 VVV scalar round
            66 2 1 2D vscalefsd T8 VVV scalar round
            66 2 * 30 vpmovzxbw HM1:2 V-V
            F3 2 0 30 vpmovwb HM1 V-V store
            66 2 * 31 vpmovzxbd QM1:4 V-V
            F3 2 0 31 vpmovdb QM1 V-V store
            66 2 * 32 vpmovzxbq OM1:8 V-V
            F3 2 0 32 vpmovqb OM1 V-V store
            66 2 * 33 vpmovzxwd HM2:4 V-V
            F3 2 0 33 vpmovdw HM2 V-V store
            66 2 * 34 vpmovzxwq QM2:8 V-V
            F3 2 0 34 vpmovqw QM2 V-V store
            66 2 0 35 vpmovzxdq HM4:8 V-V
            F3 2 0 35 vpmovqd HM4 V-V store
            66 2 0 36 vpermd FV4 VVV wide whole
            66 2 1 36 vpermq FV8 VVV wide whole
            66 2 1 37 vpcmpgtq FV8 KVV
            66 2 * 38 vpminsb FM1 VVV
            F3 2 0 38 vpmovm2d FM4 V-K plain register
            F3 2 1 38 vpmovm2q FM8 V-K plain register
            66 2 0 39 vpminsd FV4 VVV
            66 2 1 39 vpminsq FV8 VVV
            F3 2 0 39 vpmovd2m FM4 K-V plain register
            F3 2 1 39 vpmovq2m FM8 K-V plain register
            66 2 * 3A vpminuw FM2 VVV
            F3 2 0 3A vpbroadcastmw2d FM4 V-K plain register
            66 2 0 3B vpminud FV4 VVV
            66 2 1 3B vpminuq FV8 VVV
            66 2 * 3C vpmaxsb FM1 VVV
            66 2 0 3D vpmaxsd FV4 VVV
            66 2 1 3D vpmaxsq FV8 VVV
            66 2 * 3E vpmaxuw FM2 VVV
            66 2 0 3F vpmaxud FV4 VVV
            66 2 1 3F vpmaxuq FV8 VVV
            66 2 0 40 vpmulld FV4 VVV
            66 2 1 40 vpmullq FV8 VVV
            66 2 0 42 vgetexpps FV4 V-V sae
            66 2 1 42 vgetexppd FV8 V-V sae
            66 2 0 43 vgetexpss T4 VVV scalar sae
            66 2 1 43 vgetexpsd T8 VVV scalar sae
            66 2 0 44 vplzcntd FV4 V-V
            66 2 1 44 vplzcntq FV8 V-V
            66 2 0 45 vpsrlvd FV4 VVV
            66 2 1 45 vpsrlvq FV8 VVV
            66 2 0 46 vpsravd FV4 VVV
            66 2 1 46 vpsravq FV8 VVV
            66 2 0 47 vpsllvd FV4 VVV
            66 2 1 47 vpsllvq FV8 VVV
            66 2 0 4C vrcp14ps FV4 V-V
            66 2 1 4C vrcp14pd FV8 V-V
            66 2 0 4D vrcp14ss T4 VVV scalar
            66 2 1 4D vrcp14sd T8 VVV scalar
            66 2 0 4E vrsqrt14ps FV4 V-V
            66 2 1 4E vrsqrt14pd FV8 V-V
            66 2 0 4F vrsqrt14ss T4 VVV scalar
            66 2 1 4F vrsqrt14sd T8 VVV scalar
            66 2 0 50 vpdpbusd FV4 VVV vnni
            66 2 0 51 vpdpbusds FV4 VVV vnni
            66 2 0 52 vpdpwssd FV4 VVV vnni
            66 2 0 53 vpdpwssds FV4 VVV vnni
            66 2 0 54 vpopcntb FM1 V-V bitalg
            66 2 1 54 vpopcntw FM2 V-V bitalg
            66 2 0 55 vpopcntd FV4 V-V vpopcntdq
            66 2 1 55 vpopcntq FV8 V-V vpopcntdq
            66 2 0 58 vpbroadcastd T4 V-V
            66 2 0 59 vbroadcasti32x2 T8:4 V-V
            66 2 1 59 vpbroadcastq T8 V-V
            66 2 0 5A vbroadcasti32x4 T16:4 V-V wide memory
            66 2 1 5A vbroadcasti64x2 T16:8 V-V wide memory
            66 2 0 5B vbroadcasti32x8 T32:4 V-V 512 memory
            66 2 1 5B vbroadcasti64x4 T32:8 V-V 512 memory
            66 2 0 62 vpexpandb P1 V-V vbmi2
            66 2 1 62 vpexpandw P2 V-V vbmi2
            66 2 0 63 vpcompressb P1 V-V store vbmi2
            66 2 1 63 vpcompressw P2 V-V store vbmi2
            66 2 0 64 vpblendmd FV4 VVV
            66 2 1 64 vpblendmq FV8 VVV
            66 2 0 65 vblendmps FV4 VVV
            66 2 1 65 vblendmpd FV8 VVV
            66 2 0 66 vpblendmb FM1 VVV
            66 2 1 66 vpblendmw FM2 VVV
            66 2 1 70 vpshldvw FM2 VVV vbmi2
            66 2 0 71 vpshldvd FV4 VVV vbmi2
            66 2 1 71 vpshldvq FV8 VVV vbmi2
            66 2 1 72 vpshrdvw FM2 VVV vbmi2
            66 2 0 73 vpshrdvd FV4 VVV vbmi2
            66 2 1 73 vpshrdvq FV8 VVV vbmi2
            66 2 0 75 vpermi2b FM1 VVV whole vbmi
            66 2 1 75 vpermi2w FM2 VVV whole
            66 2 0 76 vpermi2d FV4 VVV whole
            66 2 1 76 vpermi2q FV8 VVV whole
            66 2 0 77 vpermi2ps FV4 VVV whole
            66 2 1 77 vpermi2pd FV8 VVV whole
            66 2 0 78 vpbroadcastb T1 V-V
            66 2 0 79 vpbroadcastw T2 V-V
            66 2 0 7A vpbroadcastb T1 V-G register
            66 2 0 7B vpbroadcastw T2 V-G register
            66 2 0 7C vpbroadcastd T4 V-G register
            66 2 1 7C vpbroadcastq T8 V-G register
            66 2 0 7D vpermt2b FM1 VVV whole vbmi
            66 2 1 7D vpermt2w FM2 VVV whole
            66 2 0 7E vpermt2d FV4 VVV whole
            66 2 1 7E vpermt2q FV8 VVV whole
            66 2 0 7F vpermt2ps FV4 VVV whole
            66 2 1 7F vpermt2pd FV8 VVV whole
            66 2 1 83 vpmultishiftqb FV8:1 VVV whole vbmi
            66 2 0 88 vexpandps P4 V-V
            66 2 1 88 vexpandpd P8 V-V
            66 2 0 89 vpexpandd P4 V-V
            66 2 1 89 vpexpandq P8 V-V
            66 2 0 8A vcompressps P4 V-V store
            66 2 1 8A vcompresspd P8 V-V store
            66 2 0 8B vpcompressd P4 V-V store
            66 2 1 8B vpcompressq P8 V-V store
            66 2 0 8D vpermb FM1 VVV whole vbmi
            66 2 1 8D vpermw FM2 VVV whole
            66 2 0 8F vpshufbitqmb FM1 KVV bitalg
            66 2 0 90 vpgatherdd T4 V-V memory indexed
            66 2 1 90 vpgatherdq T8 V-V memory indexed
            66 2 0 91 vpgatherqd T4 V-V memory indexed
            66 2 1 91 vpgatherqq T8 V-V memory indexed
            66 2 0 92 vgatherdps T4 V-V memory indexed
            66 2 1 92 vgatherdpd T8 V-V memory indexed
            66 2 0 93 vgatherqps T4 V-V memory indexed
            66 2 1 93 vgatherqpd T8 V-V memory indexed
            66 2 0 A0 vpscatterdd T4 V-V memory indexed store
            66 2 1 A0 vpscatterdq T8 V-V memory indexed store
            66 2 0 A1 vpscatterqd T4 V-V memory indexed store
            66 2 1 A1 vpscatterqq T8 V-V memory indexed store
            66 2 0 A2 vscatterdps T4 V-V memory indexed store
            66 2 1 A2 vscatterdpd T8 V-V memory indexed store
            66 2 0 A3 vscatterqps T4 V-V memory indexed store
            66 2 1 A3 vscatterqpd T8 V-V memory indexed store
            66 2 1 B4 vpmadd52luq FV8 VVV ifma
            66 2 1 B5 vpmadd52huq FV8 VVV ifma
            66 2 0 C4 vpconflictd FV4 V-V whole
            66 2 1 C4 vpconflictq FV8 V-V whole
            66 2 0 CF vgf2p8mulb FM1 VVV gfni
            66 2 * DC vaesenc FM1 VVV plain vaes
            66 2 * DD vaesenclast FM1 VVV plain vaes
            66 2 * DE vaesdec FM1 VVV plain vaes
            66 2 * DF vaesdeclast FM1 VVV plain vaes
            66 3 1 00 vpermq FV8 V-V wide whole
            66 3 1 01 vpermpd FV8 V-V wide whole
            66 3 0 03 valignd FV4 VVV whole
            66 3 1 03 valignq FV8 VVV whole
            66 3 0 04 vpermilps FV4 V-V whole
            66 3 1 05 vpermilpd FV8 V-V whole
            66 3 0 08 vrndscaleps FV4 V-V sae
            66 3 1 09 vrndscalepd FV8 V-V sae
            66 3 0 0A vrndscaless T4 VVV scalar sae
            66 3 1 0B vrndscalesd T8 VVV scalar sae
            66 3 * 0F vpalignr FM1 VVV whole
            66 3 * 14 vpextrb T1 V-G 128 plain store
            66 3 * 15 vpextrw T2 V-G 128 plain store
            66 3 0 16 vpextrd T4 V-G 128 plain store
            66 3 1 16 vpextrq T8 V-G 128 plain store
            66 3 * 17 vextractps T4 V-G 128 plain store
            66 3 0 18 vinsertf32x4 T16:4 VVV wide whole
            66 3 1 18 vinsertf64x2 T16:8 VVV wide whole
            66 3 0 19 vextractf32x4 T16:4 V-V wide store whole
            66 3 1 19 vextractf64x2 T16:8 V-V wide store whole
            66 3 0 1A vinsertf32x8 T32:4 VVV 512 whole
            66 3 1 1A vinsertf64x4 T32:8 VVV 512 whole
            66 3 0 1B vextractf32x8 T32:4 V-V 512 store whole
            66 3 1 1B vextractf64x4 T32:8 V-V 512 store whole
            66 3 0 1D vcvtps2ph HM2 V-V store sae
            66 3 0 1E vpcmpud FV4 KVV
            66 3 1 1E vpcmpuq FV8 KVV
            66 3 0 1F vpcmpd FV4 KVV
            66 3 1 1F vpcmpq FV8 KVV
            66 3 * 20 vpinsrb T1 VVG 128 plain
            66 3 0 21 vinsertps T4 VVV 128 plain
            66 3 0 22 vpinsrd T4 VVG 128 plain
            66 3 1 22 vpinsrq T8 VVG 128 plain
            66 3 0 23 vshuff32x4 FV4 VVV wide whole
            66 3 1 23 vshuff64x2 FV8 VVV wide whole
            66 3 0 25 vpternlogd FV4 VVV
            66 3 1 25 vpternlogq FV8 VVV
            66 3 0 26 vgetmantps FV4 V-V sae
            66 3 1 26 vgetmantpd FV8 V-V sae
            66 3 0 27 vgetmantss T4 VVV scalar sae
            66 3 1 27 vgetmantsd T8 VVV scalar sae
            66 3 0 38 vinserti32x4 T16:4 VVV wide whole
            66 3 1 38 vinserti64x2 T16:8 VVV wide whole
            66 3 0 39 vextracti32x4 T16:4 V-V wide store whole
            66 3 1 39 vextracti64x2 T16:8 V-V wide store whole
            66 3 0 3A vinserti32x8 T32:4 VVV 512 whole
            66 3 1 3A vinserti64x4 T32:8 VVV 512 whole
            66 3 0 3B vextracti32x8 T32:4 V-V 512 store whole
            66 3 1 3B vextracti64x4 T32:8 V-V 512 store whole
            66 3 0 3E vpcmpub FM1 KVV
            66 3 1 3E vpcmpuw FM2 KVV
            66 3 0 3F vpcmpb FM1 KVV
            66 3 1 3F vpcmpw FM2 KVV
            66 3 0 42 vdbpsadbw FM2 VVV whole
            66 3 0 43 vshufi32x4 FV4 VVV wide whole
            66 3 1 43 vshufi64x2 FV8 VVV wide whole
            66 3 * 44 vpclmulqdq FM8 VVV plain vpclmulqdq
            66 3 0 50 vrangeps FV4 VVV sae
            66 3 1 50 vrangepd FV8 VVV sae
            66 3 0 51 vrangess T4 VVV scalar sae
            66 3 1 51 vrangesd T8 VVV scalar sae
            66 3 0 54 vfixupimmps FV4 VVV sae
            66 3 1 54 vfixupimmpd FV8 VVV sae
            66 3 0 55 vfixupimmss T4 VVV scalar sae
            66 3 1 55 vfixupimmsd T8 VVV scalar sae
            66 3 0 56 vreduceps FV4 V-V sae
            66 3 1 56 vreducepd FV8 V-V sae
            66 3 0 57 vreducess T4 VVV scalar sae
            66 3 1 57 vreducesd T8 VVV scalar sae
            66 3 0 66 vfpclassps FV4 K-V
            66 3 1 66 vfpclasspd FV8 K-V
            66 3 0 67 vfpclassss T4 K-V scalar
            66 3 1 67 vfpclasssd T8 K-V scalar
            66 3 1 70 vpshldw FM2 VVV vbmi2
            66 3 0 71 vpshldd FV4 VVV vbmi2
            66 3 1 71 vpshldq FV8 VVV vbmi2
            66 3 1 72 vpshrdw FM2 VVV vbmi2
            66 3 0 73 vpshrdd FV4 VVV vbmi2
            66 3 1 73 vpshrdq FV8 VVV vbmi2
            66 3 1 CE vgf2p8affineqb FV8:1 VVV whole gfni
            66 3 1 CF vgf2p8affineinvqb FV8:1 VVV whole gfni
            """;

    /** Names of the fused multiplications, by the low digit of their opcodes: what is in front of, and behind the order. */
    private static final String[] FUSED = {
        "vfmaddsub", "vfmsubadd", "vfmadd", "vfmadd", "vfmsub", "vfmsub", "vfnmadd", "vfnmadd", "vfnmsub", "vfnmsub"
    };

    private static final String[] ORDERS = {"132", "213", "231"};

    private static final @Nullable EvexForm[] FORMS =
            new @Nullable EvexForm[2 * 4 * MAPS * OPCODES + 2 * GROUPS * (LAST_GROUP - FIRST_GROUP + 1)];

    static {
        TABLE.lines().forEach(line -> add(line.split("\\s+")));
        for (int order = 0; order < ORDERS.length; order++) {
            for (int i = 0; i < FUSED.length; i++) {
                boolean scalar = i >= 2 && (i & 1) != 0;
                String opcode = Integer.toHexString(0x96 + 16 * order + i);
                for (int w = 0; w < 2; w++) {
                    String name = FUSED[i] + ORDERS[order] + (scalar ? "s" : "p") + (w == 0 ? "s" : "d");
                    String memory = (scalar ? "T" : "FV") + (w == 0 ? "4" : "8");
                    add("66 2 %d %s %s %s VVV round %s"
                            .formatted(w, opcode, name, memory, scalar ? "scalar" : "")
                            .split(" "));
                }
            }
        }
    }

    private EvexForms() {}

    private static void add(String[] words) {
        int pp = switch (words[0]) {
            case "66" -> Instruction.PP_66;
            case "F3" -> Instruction.PP_F3;
            case "F2" -> Instruction.PP_F2;
            default -> Instruction.PP_NONE;
        };
        int map = Integer.parseInt(words[1]);
        String[] opcode = words[3].split("/");
        int group = opcode.length > 1 ? Integer.parseInt(opcode[1]) : 0;
        EvexForm form = new EvexForm(words);
        for (int w = 0; w < 2; w++) {
            if (words[2].equals("*") || words[2].equals(String.valueOf(w))) {
                int at = index(map, pp, w != 0, Integer.parseInt(opcode[0], 16), group);
                if (FORMS[at] != null) {
                    throw new AssertionError("two instructions: " + form + " and " + FORMS[at]);
                }
                FORMS[at] = form;
            }
        }
    }

    private static int index(int map, int pp, boolean w, int opcode, int group) {
        int wide = w ? 1 : 0;
        if (map == Instruction.MAP_0F && opcode >= FIRST_GROUP && opcode <= LAST_GROUP) {
            // All of them have the prefix 66; the others' places in the table before stay empty.
            return pp == Instruction.PP_66
                    ? 2 * 4 * MAPS * OPCODES + ((opcode - FIRST_GROUP) * GROUPS + group) * 2 + wide
                    : 0;
        }
        return (((map - 1) * 4 + pp) * 2 + wide) * OPCODES + opcode;
    }

    /** {@return the form of an EVEX-encoded instruction by its map, prefix, opcode and W alone, or null when there is none} */
    static @Nullable EvexForm find(Instruction in) {
        return FORMS[index(in.map, in.pp, in.w, in.opcode, in.group())];
    }
}
