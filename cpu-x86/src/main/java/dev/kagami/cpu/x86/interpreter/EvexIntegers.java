package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.PackedVariable;
import org.jspecify.annotations.Nullable;

/** Moves, permutations and integer instructions of AVX-512. */
final class EvexIntegers {
    private static final int LOW_QUADWORDS = 0;
    private static final int HIGH_QUADWORDS = 0xFF;

    private EvexIntegers() {}

    /** {@return the op of an EVEX-encoded instruction, or null when it isn't one of these} */
    static @Nullable Op create(Instruction in, EvexForm form) {
        if (form.indexed) {
            return EvexGather.create(in);
        }
        Op op = move(in, form);
        if (op == null) {
            op = permutation(in, form);
        }
        if (op == null) {
            op = shift(in, form);
        }
        return op == null ? operation(in, form) : op;
    }

    private static @Nullable Op move(Instruction in, EvexForm form) {
        return switch (form.name) {
            case "vmovups", "vmovupd", "vmovaps", "vmovapd", "vmovntps", "vmovntpd", "vmovntdq", "vmovntdqa" ->
                EvexMoves.move(in);
            case "vmovdqa32", "vmovdqa64", "vmovdqu8", "vmovdqu16", "vmovdqu32", "vmovdqu64" -> EvexMoves.move(in);
            case "vmovss", "vmovsd" -> new EvexMoves.Scalar(in);
            case "vmovlps", "vmovlpd", "vmovhps", "vmovhpd" ->
                form.stores ? new EvexMoves.StoreHalf(in) : new EvexMoves.LoadHalf(in);
            case "vmovddup", "vmovsldup", "vmovshdup" -> new EvexMoves.Duplicate(in);
            case "vmovd", "vmovq" -> {
                if (form.rm == EvexForm.Operand.GENERAL) {
                    yield form.stores ? new EvexMoves.Extract(in) : new EvexMoves.FromGeneral(in);
                }
                yield form.stores ? new EvexMoves.StoreHalf(in) : new EvexMoves.LoadQuadword(in);
            }
            case "vpinsrb", "vpinsrw", "vpinsrd", "vpinsrq" -> new EvexMoves.Insert(in);
            case "vpextrb", "vpextrw", "vpextrd", "vpextrq", "vextractps" -> new EvexMoves.Extract(in);
            case "vinsertps" -> new EvexMoves.InsertSingle(in);
            case "vpmovsxbw", "vpmovsxbd", "vpmovsxbq", "vpmovsxwd", "vpmovsxwq", "vpmovsxdq" ->
                new EvexWidths.Widen(in);
            case "vpmovzxbw", "vpmovzxbd", "vpmovzxbq", "vpmovzxwd", "vpmovzxwq", "vpmovzxdq" ->
                new EvexWidths.Widen(in);
            case "vpmovwb", "vpmovdb", "vpmovqb", "vpmovdw", "vpmovqw", "vpmovqd" -> new EvexWidths.Narrow(in);
            case "vpmovswb", "vpmovsdb", "vpmovsqb", "vpmovsdw", "vpmovsqw", "vpmovsqd" -> new EvexWidths.Narrow(in);
            case "vpmovuswb", "vpmovusdb", "vpmovusqb", "vpmovusdw", "vpmovusqw", "vpmovusqd" ->
                new EvexWidths.Narrow(in);
            case "vpcompressb", "vpcompressw", "vpcompressd", "vpcompressq", "vcompressps", "vcompresspd" ->
                new EvexWidths.Compress(in);
            case "vpexpandb", "vpexpandw", "vpexpandd", "vpexpandq", "vexpandps", "vexpandpd" ->
                new EvexWidths.Expand(in);
            default -> null;
        };
    }

    private static @Nullable Op permutation(Instruction in, EvexForm form) {
        int control = (int) in.immediate & 0xFF;
        boolean immediate = in.immediateSize != 0;
        return switch (form.name) {
            case "vunpcklps", "vunpckhps", "vpunpcklbw", "vpunpckhbw", "vpunpcklwd", "vpunpckhwd" ->
                new EvexInLane.Interleave(in);
            case "vpunpckldq", "vpunpckhdq" -> new EvexInLane.Interleave(in);
            case "vunpcklpd", "vpunpcklqdq" -> new EvexInLane.Quadwords(in, LOW_QUADWORDS);
            case "vunpckhpd", "vpunpckhqdq" -> new EvexInLane.Quadwords(in, HIGH_QUADWORDS);
            case "vshufpd" -> new EvexInLane.Quadwords(in, control);
            case "vpermilpd" -> immediate ? new EvexInLane.Quadwords(in, control) : new EvexInLane.Selected(in);
            case "vpermilps" -> immediate ? new EvexInLane.Doublewords(in) : new EvexInLane.Selected(in);
            case "vshufps", "vpshufd" -> new EvexInLane.Doublewords(in);
            case "vpshufhw", "vpshuflw" -> new EvexInLane.Words(in);
            case "vpshufb" -> new EvexInLane.Bytes(in);
            case "vpacksswb", "vpackuswb", "vpackssdw", "vpackusdw" -> new EvexInLane.Pack(in);
            case "vpalignr" -> new EvexInLane.Align(in);
            case "valignd", "valignq" -> new EvexPermutes.Align(in);
            case "vpermb", "vpermw", "vpermd", "vpermps" -> new EvexPermutes.Elements(in);
            case "vpermq", "vpermpd" -> immediate ? new EvexPermutes.Quadwords(in) : new EvexPermutes.Elements(in);
            case "vpermi2b", "vpermi2w", "vpermi2d", "vpermi2q", "vpermi2ps", "vpermi2pd" ->
                new EvexPermutes.TwoTables(in);
            case "vpermt2b", "vpermt2w", "vpermt2d", "vpermt2q", "vpermt2ps", "vpermt2pd" ->
                new EvexPermutes.TwoTables(in);
            case "vshuff32x4", "vshuff64x2", "vshufi32x4", "vshufi64x2" -> new EvexPermutes.Lanes(in);
            case "vbroadcastss", "vbroadcastsd", "vbroadcastf32x2", "vbroadcastf32x4", "vbroadcastf64x2" ->
                new EvexPermutes.Broadcast(in);
            case "vbroadcastf32x8", "vbroadcastf64x4", "vbroadcasti32x2", "vbroadcasti32x4", "vbroadcasti64x2" ->
                new EvexPermutes.Broadcast(in);
            case "vbroadcasti32x8", "vbroadcasti64x4", "vpbroadcastb", "vpbroadcastw", "vpbroadcastd", "vpbroadcastq" ->
                new EvexPermutes.Broadcast(in);
            case "vinsertf32x4", "vinsertf64x2", "vinsertf32x8", "vinsertf64x4" -> new EvexPermutes.Insert(in);
            case "vinserti32x4", "vinserti64x2", "vinserti32x8", "vinserti64x4" -> new EvexPermutes.Insert(in);
            case "vextractf32x4", "vextractf64x2", "vextractf32x8", "vextractf64x4" -> new EvexPermutes.Extract(in);
            case "vextracti32x4", "vextracti64x2", "vextracti32x8", "vextracti64x4" -> new EvexPermutes.Extract(in);
            default -> null;
        };
    }

    private static @Nullable Op shift(Instruction in, EvexForm form) {
        return switch (form.name) {
            case "vpsrlw", "vpsrld", "vpsrlq", "vpsraw", "vpsrad", "vpsraq", "vpsllw", "vpslld", "vpsllq" ->
                in.immediateSize != 0 ? new EvexShifts.ByImmediate(in) : new EvexShifts.ByOne(in);
            case "vpsrldq", "vpslldq" -> new EvexShifts.Bytes(in);
            case "vpsrlvw", "vpsrlvd", "vpsrlvq" -> new EvexShifts.Variable(in, PackedVariable.RIGHT);
            case "vpsravw", "vpsravd", "vpsravq" -> new EvexShifts.Variable(in, PackedVariable.RIGHT_SIGNED);
            case "vpsllvw", "vpsllvd", "vpsllvq" -> new EvexShifts.Variable(in, PackedVariable.LEFT);
            case "vprord", "vprorq", "vprorvd", "vprorvq" -> new EvexShifts.Variable(in, PackedVariable.ROTATE_RIGHT);
            case "vprold", "vprolq", "vprolvd", "vprolvq" -> new EvexShifts.Variable(in, PackedVariable.ROTATE_LEFT);
            case "vpshldw", "vpshldd", "vpshldq", "vpshldvw", "vpshldvd", "vpshldvq" ->
                new EvexShifts.Variable(in, PackedVariable.DOUBLE_LEFT);
            case "vpshrdw", "vpshrdd", "vpshrdq", "vpshrdvw", "vpshrdvd", "vpshrdvq" ->
                new EvexShifts.Variable(in, PackedVariable.DOUBLE_RIGHT);
            default -> null;
        };
    }

    private static @Nullable Op operation(Instruction in, EvexForm form) {
        return switch (form.name) {
            case "vandps", "vandpd", "vandnps", "vandnpd", "vorps", "vorpd", "vxorps", "vxorpd" -> EvexPacked.logic(in);
            case "vpternlogd", "vpternlogq" -> new EvexPacked.Ternary(in);
            case "vpabsq", "vpminsq", "vpminuq", "vpmaxsq", "vpmaxuq", "vpmullq" -> new EvexPacked.Combine(in);
            case "vplzcntd", "vplzcntq", "vpopcntb", "vpopcntw", "vpopcntd", "vpopcntq", "vpmultishiftqb" ->
                new EvexPacked.Combine(in);
            case "vpdpbusd", "vpdpbusds", "vpdpwssd", "vpdpwssds", "vpmadd52luq", "vpmadd52huq" ->
                new EvexPacked.Accumulate(in);
            case "vpconflictd", "vpconflictq" -> new EvexPacked.Conflict(in);
            case "vgf2p8affineqb", "vgf2p8affineinvqb" -> new EvexPacked.Affine(in);
            case "vdbpsadbw" -> new EvexInLane.SumDifferences(in);
            case "vaesenc", "vaesenclast", "vaesdec", "vaesdeclast" -> new EvexInLane.AesRound(in);
            case "vpclmulqdq" -> new EvexInLane.Multiply(in);
            case "vpcmpeqb", "vpcmpeqw", "vpcmpeqd", "vpcmpeqq", "vpcmpgtb", "vpcmpgtw", "vpcmpgtd", "vpcmpgtq" ->
                EvexMasks.compareFixed(in);
            case "vpcmpb", "vpcmpw", "vpcmpd", "vpcmpq", "vpcmpub", "vpcmpuw", "vpcmpud", "vpcmpuq" ->
                EvexMasks.compare(in);
            case "vptestmb", "vptestmw", "vptestmd", "vptestmq" -> new EvexMasks.Test(in);
            case "vptestnmb", "vptestnmw", "vptestnmd", "vptestnmq" -> new EvexMasks.Test(in);
            case "vpshufbitqmb" -> new EvexMasks.ShuffleBits(in);
            case "vpmovb2m", "vpmovw2m", "vpmovd2m", "vpmovq2m" -> new EvexMasks.FromSigns(in);
            case "vpmovm2b", "vpmovm2w", "vpmovm2d", "vpmovm2q" -> new EvexMasks.ToVector(in);
            case "vpbroadcastmb2q", "vpbroadcastmw2d" -> new EvexMasks.Broadcast(in);
            case "vpblendmb", "vpblendmw", "vpblendmd", "vpblendmq", "vblendmps", "vblendmpd" ->
                new EvexMasks.Blend(in);
            default -> EvexPacked.create(in);
        };
    }
}
