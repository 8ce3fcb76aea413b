//! The rows of operators on vectors of 128 bits, of the proposals "simd" and "relaxed-simd": a part of the table.

#[rustfmt::skip]
rows! {
    // Operator               Class   Fuel Flow     Operands
    V128Load                  Traps   1    Next     [1 -> V128]    "reads memory, which only effects change";
    V128Load8x8S              Traps   1    Next     [1 -> V128]    "reads memory, which only effects change";
    V128Load8x8U              Traps   1    Next     [1 -> V128]    "reads memory, which only effects change";
    V128Load16x4S             Traps   1    Next     [1 -> V128]    "reads memory, which only effects change";
    V128Load16x4U             Traps   1    Next     [1 -> V128]    "reads memory, which only effects change";
    V128Load32x2S             Traps   1    Next     [1 -> V128]    "reads memory, which only effects change";
    V128Load32x2U             Traps   1    Next     [1 -> V128]    "reads memory, which only effects change";
    V128Load8Splat            Traps   1    Next     [1 -> V128]    "reads memory, which only effects change";
    V128Load16Splat           Traps   1    Next     [1 -> V128]    "reads memory, which only effects change";
    V128Load32Splat           Traps   1    Next     [1 -> V128]    "reads memory, which only effects change";
    V128Load64Splat           Traps   1    Next     [1 -> V128]    "reads memory, which only effects change";
    V128Load32Zero            Traps   1    Next     [1 -> V128]    "reads memory, which only effects change";
    V128Load64Zero            Traps   1    Next     [1 -> V128]    "reads memory, which only effects change";
    V128Store                 Effect  1    Next     [2 -> none]    "writes memory";
    V128Load8Lane             Traps   1    Next     [2 -> V128]    "reads memory, which only effects change";
    V128Load16Lane            Traps   1    Next     [2 -> V128]    "reads memory, which only effects change";
    V128Load32Lane            Traps   1    Next     [2 -> V128]    "reads memory, which only effects change";
    V128Load64Lane            Traps   1    Next     [2 -> V128]    "reads memory, which only effects change";
    V128Store8Lane            Effect  1    Next     [2 -> none]    "writes memory";
    V128Store16Lane           Effect  1    Next     [2 -> none]    "writes memory";
    V128Store32Lane           Effect  1    Next     [2 -> none]    "writes memory";
    V128Store64Lane           Effect  1    Next     [2 -> none]    "writes memory";
    V128Const                 Pure    1    Next     [0 -> V128]    "is the same value always";
    I8x16Shuffle              Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16ExtractLaneS         Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I8x16ExtractLaneU         Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I8x16ReplaceLane          Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8ExtractLaneS         Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I16x8ExtractLaneU         Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I16x8ReplaceLane          Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4ExtractLane          Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I32x4ReplaceLane          Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2ExtractLane          Pure    1    Next     [1 -> I64]     "computes from its operands alone";
    I64x2ReplaceLane          Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4ExtractLane          Pure    1    Next     [1 -> F32]     "computes from its operands alone";
    F32x4ReplaceLane          Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2ExtractLane          Pure    1    Next     [1 -> F64]     "computes from its operands alone";
    F64x2ReplaceLane          Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16Swizzle              Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16Splat                Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I16x8Splat                Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4Splat                Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I64x2Splat                Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F32x4Splat                Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F64x2Splat                Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I8x16Eq                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16Ne                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16LtS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16LtU                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16GtS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16GtU                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16LeS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16LeU                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16GeS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16GeU                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8Eq                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8Ne                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8LtS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8LtU                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8GtS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8GtU                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8LeS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8LeU                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8GeS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8GeU                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4Eq                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4Ne                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4LtS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4LtU                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4GtS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4GtU                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4LeS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4LeU                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4GeS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4GeU                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2Eq                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2Ne                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2LtS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2GtS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2LeS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2GeS                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4Eq                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4Ne                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4Lt                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4Gt                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4Le                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4Ge                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2Eq                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2Ne                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2Lt                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2Gt                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2Le                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2Ge                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    V128Not                   Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    V128And                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    V128AndNot                Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    V128Or                    Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    V128Xor                   Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    V128Bitselect             Pure    1    Next     [3 -> V128]    "computes from its operands alone";
    V128AnyTrue               Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I8x16Abs                  Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I8x16Neg                  Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I8x16Popcnt               Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I8x16AllTrue              Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I8x16Bitmask              Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I8x16NarrowI16x8S         Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16NarrowI16x8U         Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16Shl                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16ShrS                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16ShrU                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16Add                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16AddSatS              Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16AddSatU              Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16Sub                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16SubSatS              Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16SubSatU              Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16MinS                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16MinU                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16MaxS                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16MaxU                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I8x16AvgrU                Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8ExtAddPairwiseI8x16S Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I16x8ExtAddPairwiseI8x16U Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I16x8Abs                  Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I16x8Neg                  Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I16x8Q15MulrSatS          Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8AllTrue              Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I16x8Bitmask              Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I16x8NarrowI32x4S         Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8NarrowI32x4U         Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8ExtendLowI8x16S      Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I16x8ExtendHighI8x16S     Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I16x8ExtendLowI8x16U      Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I16x8ExtendHighI8x16U     Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I16x8Shl                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8ShrS                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8ShrU                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8Add                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8AddSatS              Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8AddSatU              Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8Sub                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8SubSatS              Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8SubSatU              Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8Mul                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8MinS                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8MinU                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8MaxS                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8MaxU                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8AvgrU                Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8ExtMulLowI8x16S      Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8ExtMulHighI8x16S     Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8ExtMulLowI8x16U      Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8ExtMulHighI8x16U     Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4ExtAddPairwiseI16x8S Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4ExtAddPairwiseI16x8U Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4Abs                  Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4Neg                  Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4AllTrue              Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I32x4Bitmask              Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I32x4ExtendLowI16x8S      Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4ExtendHighI16x8S     Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4ExtendLowI16x8U      Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4ExtendHighI16x8U     Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4Shl                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4ShrS                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4ShrU                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4Add                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4Sub                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4Mul                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4MinS                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4MinU                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4MaxS                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4MaxU                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4DotI16x8S            Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4ExtMulLowI16x8S      Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4ExtMulHighI16x8S     Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4ExtMulLowI16x8U      Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4ExtMulHighI16x8U     Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2Abs                  Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I64x2Neg                  Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I64x2AllTrue              Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I64x2Bitmask              Pure    1    Next     [1 -> I32]     "computes from its operands alone";
    I64x2ExtendLowI32x4S      Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I64x2ExtendHighI32x4S     Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I64x2ExtendLowI32x4U      Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I64x2ExtendHighI32x4U     Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I64x2Shl                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2ShrS                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2ShrU                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2Add                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2Sub                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2Mul                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2ExtMulLowI32x4S      Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2ExtMulHighI32x4S     Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2ExtMulLowI32x4U      Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I64x2ExtMulHighI32x4U     Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4Ceil                 Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F32x4Floor                Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F32x4Trunc                Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F32x4Nearest              Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F32x4Abs                  Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F32x4Neg                  Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F32x4Sqrt                 Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F32x4Add                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4Sub                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4Mul                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4Div                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4Min                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4Max                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4PMin                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4PMax                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2Ceil                 Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F64x2Floor                Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F64x2Trunc                Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F64x2Nearest              Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F64x2Abs                  Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F64x2Neg                  Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F64x2Sqrt                 Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F64x2Add                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2Sub                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2Mul                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2Div                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2Min                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2Max                  Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2PMin                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2PMax                 Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4TruncSatF32x4S       Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4TruncSatF32x4U       Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F32x4ConvertI32x4S        Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F32x4ConvertI32x4U        Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4TruncSatF64x2SZero   Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4TruncSatF64x2UZero   Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F64x2ConvertLowI32x4S     Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F64x2ConvertLowI32x4U     Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F32x4DemoteF64x2Zero      Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F64x2PromoteLowF32x4      Pure    1    Next     [1 -> V128]    "computes from its operands alone";

    // What these give may differ between machines, and between engines of different configurations. On one engine it is
    // the same in all code, so that they can be run again.
    I8x16RelaxedSwizzle       Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4RelaxedTruncF32x4S   Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4RelaxedTruncF32x4U   Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4RelaxedTruncF64x2SZero Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    I32x4RelaxedTruncF64x2UZero Pure    1    Next     [1 -> V128]    "computes from its operands alone";
    F32x4RelaxedMadd          Pure    1    Next     [3 -> V128]    "computes from its operands alone";
    F32x4RelaxedNmadd         Pure    1    Next     [3 -> V128]    "computes from its operands alone";
    F64x2RelaxedMadd          Pure    1    Next     [3 -> V128]    "computes from its operands alone";
    F64x2RelaxedNmadd         Pure    1    Next     [3 -> V128]    "computes from its operands alone";
    I8x16RelaxedLaneselect    Pure    1    Next     [3 -> V128]    "computes from its operands alone";
    I16x8RelaxedLaneselect    Pure    1    Next     [3 -> V128]    "computes from its operands alone";
    I32x4RelaxedLaneselect    Pure    1    Next     [3 -> V128]    "computes from its operands alone";
    I64x2RelaxedLaneselect    Pure    1    Next     [3 -> V128]    "computes from its operands alone";
    F32x4RelaxedMin           Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F32x4RelaxedMax           Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2RelaxedMin           Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    F64x2RelaxedMax           Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8RelaxedQ15mulrS      Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I16x8RelaxedDotI8x16I7x16S Pure    1    Next     [2 -> V128]    "computes from its operands alone";
    I32x4RelaxedDotI8x16I7x16AddS Pure    1    Next     [3 -> V128]    "computes from its operands alone";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::ValType;
    use crate::wasm::operators::{Class, Flow};

    /// The names say what an operator does: a second opinion on the rows. How many operands are taken, wasmparser says.
    #[test]
    fn the_rows_agree_with_the_names() {
        assert_eq!(ROWS.len(), 236 + 20);
        for (name, row, why) in ROWS {
            let class = match *name {
                name if name.contains("Load") => Class::Traps,
                name if name.contains("Store") => Class::Effect,
                _ => Class::Pure,
            };
            assert_eq!((row.class, row.fuel, row.flow), (class, 1, Flow::Next), "{name}");
            let gives = match *name {
                name if name.contains("Store") => None,
                name if ["AnyTrue", "AllTrue", "Bitmask"].iter().any(|part| name.contains(part)) => Some(ValType::I32),
                name if name.contains("ExtractLane") => Some(match &name[..3] {
                    "I64" => ValType::I64,
                    "F32" => ValType::F32,
                    "F64" => ValType::F64,
                    _ => ValType::I32,
                }),
                _ => Some(ValType::V128),
            };
            assert_eq!(row.operands.map(|(_, gives)| gives), Some(gives), "{name}");
            assert!(!why.is_empty());
        }
    }
}
