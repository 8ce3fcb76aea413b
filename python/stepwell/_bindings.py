"""The C ABI for ctypes. Generated from the headers by python/generate_bindings.py: do not edit."""
# flake8: noqa
# mypy: ignore-errors
from ctypes import (
    CFUNCTYPE, POINTER, Structure, Union, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int8, c_int16, c_int32,
    c_int64, c_size_t, c_ssize_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p,
)

from enum import IntEnum

from ._loader import check_version, function

VERSION = (0, 1, 0)
VERSION_NUMBER = 1000
check_version(VERSION_NUMBER)

WASM_EXTERN_FUNC = 0
WASM_EXTERN_GLOBAL = 1
WASM_EXTERN_TABLE = 2
WASM_EXTERN_MEMORY = 3
WASM_EXTERN_TAG = 4
WASM_CONST = 0
WASM_VAR = 1
WASM_I32 = 0
WASM_I64 = 1
WASM_F32 = 2
WASM_F64 = 3
WASM_EXTERNREF = 128
WASM_FUNCREF = 129
class wasm_config_t(Structure): pass
class wasm_engine_t(Structure): pass
class wasm_exporttype_t(Structure): pass
class wasm_extern_t(Structure): pass
class wasm_externtype_t(Structure): pass
class wasm_foreign_t(Structure): pass
class wasm_frame_t(Structure): pass
class wasm_func_t(Structure): pass
class wasm_functype_t(Structure): pass
class wasm_global_t(Structure): pass
class wasm_globaltype_t(Structure): pass
class wasm_importtype_t(Structure): pass
class wasm_instance_t(Structure): pass
class wasm_memory_t(Structure): pass
class wasm_memorytype_t(Structure): pass
class wasm_module_t(Structure): pass
class wasm_ref_t(Structure): pass
class wasm_shared_module_t(Structure): pass
class wasm_store_t(Structure): pass
class wasm_table_t(Structure): pass
class wasm_tabletype_t(Structure): pass
class wasm_tagtype_t(Structure): pass
class wasm_trap_t(Structure): pass
class wasm_valtype_t(Structure): pass
byte_t = c_char
wasm_byte_t = byte_t
class wasm_byte_vec_t(Structure): pass
wasm_byte_vec_t._fields_ = [('size', c_size_t), ('data', POINTER(wasm_byte_t))]
class wasm_valtype_vec_t(Structure): pass
wasm_valtype_vec_t._fields_ = [('size', c_size_t), ('data', POINTER(POINTER(wasm_valtype_t)))]
class wasm_functype_vec_t(Structure): pass
wasm_functype_vec_t._fields_ = [('size', c_size_t), ('data', POINTER(POINTER(wasm_functype_t)))]
class wasm_globaltype_vec_t(Structure): pass
wasm_globaltype_vec_t._fields_ = [('size', c_size_t), ('data', POINTER(POINTER(wasm_globaltype_t)))]
class wasm_tabletype_vec_t(Structure): pass
wasm_tabletype_vec_t._fields_ = [('size', c_size_t), ('data', POINTER(POINTER(wasm_tabletype_t)))]
class wasm_memorytype_vec_t(Structure): pass
wasm_memorytype_vec_t._fields_ = [('size', c_size_t), ('data', POINTER(POINTER(wasm_memorytype_t)))]
class wasm_tagtype_vec_t(Structure): pass
wasm_tagtype_vec_t._fields_ = [('size', c_size_t), ('data', POINTER(POINTER(wasm_tagtype_t)))]
class wasm_externtype_vec_t(Structure): pass
wasm_externtype_vec_t._fields_ = [('size', c_size_t), ('data', POINTER(POINTER(wasm_externtype_t)))]
class wasm_importtype_vec_t(Structure): pass
wasm_importtype_vec_t._fields_ = [('size', c_size_t), ('data', POINTER(POINTER(wasm_importtype_t)))]
class wasm_exporttype_vec_t(Structure): pass
wasm_exporttype_vec_t._fields_ = [('size', c_size_t), ('data', POINTER(POINTER(wasm_exporttype_t)))]
wasm_valkind_t = c_uint8
float32_t = c_float
float64_t = c_double
class wasm_val_union_t(Union): pass
wasm_val_union_t._fields_ = [('i32', c_int32), ('i64', c_int64), ('f32', float32_t), ('f64', float64_t), ('ref', POINTER(wasm_ref_t))]
class wasm_val_t(Structure): pass
wasm_val_t._fields_ = [('kind', wasm_valkind_t), ('of', wasm_val_union_t)]
class wasm_val_vec_t(Structure): pass
wasm_val_vec_t._fields_ = [('size', c_size_t), ('data', POINTER(wasm_val_t))]
class wasm_frame_vec_t(Structure): pass
wasm_frame_vec_t._fields_ = [('size', c_size_t), ('data', POINTER(POINTER(wasm_frame_t)))]
class wasm_extern_vec_t(Structure): pass
wasm_extern_vec_t._fields_ = [('size', c_size_t), ('data', POINTER(POINTER(wasm_extern_t)))]
wasm_mutability_t = c_uint8
class wasm_limits_t(Structure): pass
wasm_limits_t._fields_ = [('min', c_uint32), ('max', c_uint32)]
wasm_externkind_t = c_uint8
wasm_name_t = wasm_byte_vec_t
wasm_message_t = wasm_name_t
wasm_func_callback_t = CFUNCTYPE(c_void_p, POINTER(wasm_val_vec_t), POINTER(wasm_val_vec_t))
wasm_func_callback_with_env_t = CFUNCTYPE(c_void_p, c_void_p, POINTER(wasm_val_vec_t), POINTER(wasm_val_vec_t))
wasm_table_size_t = c_uint32
wasm_memory_pages_t = c_uint32
stepwell_finalizer_t = CFUNCTYPE(None, c_void_p)
class stepwell_outcome_t(Structure): pass
stepwell_outcome_t._fields_ = [('done', c_uint32), ('trap', POINTER(wasm_trap_t)), ('value', c_uint64)]
STEPWELL_VALKIND_V128 = 4
STEPWELL_VALKIND_EXNREF = 130
STEPWELL_ERROR_INVALID_MODULE = 1
STEPWELL_ERROR_UNSUPPORTED = 2
STEPWELL_ERROR_LINK = 3
STEPWELL_ERROR_LIMIT = 4
STEPWELL_ERROR_SYSTEM = 5
STEPWELL_ERROR_ARGUMENT = 6
STEPWELL_ERROR_STATE = 7
STEPWELL_ERROR_POISONED = 8
STEPWELL_ERROR_PANIC = 9
STEPWELL_ERROR_TRAP = 10
STEPWELL_ERROR_HOST = 11
STEPWELL_ERROR_CANCELLED = 12
class ErrorCode(IntEnum):
    INVALID_MODULE = 1
    UNSUPPORTED = 2
    LINK = 3
    LIMIT = 4
    SYSTEM = 5
    ARGUMENT = 6
    STATE = 7
    POISONED = 8
    PANIC = 9
    TRAP = 10
    HOST = 11
    CANCELLED = 12
class stepwell_error_t(Structure): pass
stepwell_error_code_t = c_int32
STEPWELL_DEBUG_TIER_REGIONS = 0
STEPWELL_DEBUG_TIER_SIMPLE = 1
class DebugTier(IntEnum):
    REGIONS = 0
    SIMPLE = 1
STEPWELL_FALLBACK_COPIED_CODE = 1
STEPWELL_FALLBACK_NO_RESERVATION = 2
STEPWELL_FALLBACK_NO_THREADS = 4
STEPWELL_FALLBACK_NO_SIGNALS = 8
STEPWELL_FALLBACK_REPLACED_CODE = 16
STEPWELL_FALLBACK_COPIED_DATA = 32
STEPWELL_FEATURE_SIGN_EXTENSION = 0
STEPWELL_FEATURE_SATURATING_FLOAT_TO_INT = 1
STEPWELL_FEATURE_MULTI_VALUE = 2
STEPWELL_FEATURE_BULK_MEMORY = 3
STEPWELL_FEATURE_REFERENCE_TYPES = 4
STEPWELL_FEATURE_EXTENDED_CONST = 5
STEPWELL_FEATURE_SIMD = 6
STEPWELL_FEATURE_RELAXED_SIMD = 7
STEPWELL_FEATURE_MULTI_MEMORY = 8
STEPWELL_FEATURE_MEMORY64 = 9
STEPWELL_FEATURE_CUSTOM_PAGE_SIZES = 10
STEPWELL_FEATURE_FUNCTION_REFERENCES = 11
STEPWELL_FEATURE_TAIL_CALL = 12
STEPWELL_FEATURE_WIDE_ARITHMETIC = 13
STEPWELL_FEATURE_COMPACT_IMPORTS = 14
STEPWELL_FEATURE_EXCEPTIONS = 15
class Feature(IntEnum):
    SIGN_EXTENSION = 0
    SATURATING_FLOAT_TO_INT = 1
    MULTI_VALUE = 2
    BULK_MEMORY = 3
    REFERENCE_TYPES = 4
    EXTENDED_CONST = 5
    SIMD = 6
    RELAXED_SIMD = 7
    MULTI_MEMORY = 8
    MEMORY64 = 9
    CUSTOM_PAGE_SIZES = 10
    FUNCTION_REFERENCES = 11
    TAIL_CALL = 12
    WIDE_ARITHMETIC = 13
    COMPACT_IMPORTS = 14
    EXCEPTIONS = 15
STEPWELL_LOG_WARN = 1
STEPWELL_LOG_INFO = 2
STEPWELL_LOG_DEBUG = 3
STEPWELL_PROFILER_NONE = 0
STEPWELL_PROFILER_PERF_MAP = 1
STEPWELL_PROFILER_JITDUMP = 2
class Profiler(IntEnum):
    NONE = 0
    PERF_MAP = 1
    JITDUMP = 2
stepwell_debug_tier_t = c_int32
stepwell_feature_t = c_int32
stepwell_profiler_t = c_int32
stepwell_log_level_t = c_int32
stepwell_log_callback_t = CFUNCTYPE(None, c_void_p, stepwell_log_level_t, c_char_p)
class stepwell_interrupt_t(Structure): pass
class stepwell_stack_t(Structure): pass
stepwell_ask_callback_t = CFUNCTYPE(None, c_void_p, POINTER(stepwell_outcome_t))
stepwell_progress_callback_t = CFUNCTYPE(c_bool, c_void_p, c_size_t, c_size_t)
class stepwell_source_t(Structure): pass
stepwell_source_t._fields_ = [('file', c_char_p), ('function', c_char_p), ('line', c_uint32), ('column', c_uint32)]
STEPWELL_TRAP_HOST = 0
STEPWELL_TRAP_UNREACHABLE = 1
STEPWELL_TRAP_MEMORY_OUT_OF_BOUNDS = 2
STEPWELL_TRAP_TABLE_OUT_OF_BOUNDS = 3
STEPWELL_TRAP_UNDEFINED_ELEMENT = 4
STEPWELL_TRAP_UNINITIALIZED_ELEMENT = 5
STEPWELL_TRAP_INDIRECT_CALL_TYPE_MISMATCH = 6
STEPWELL_TRAP_INTEGER_DIVISION_BY_ZERO = 7
STEPWELL_TRAP_INTEGER_OVERFLOW = 8
STEPWELL_TRAP_INVALID_CONVERSION = 9
STEPWELL_TRAP_STACK_OVERFLOW = 10
STEPWELL_TRAP_NULL_REFERENCE = 11
STEPWELL_TRAP_INTERRUPT = 12
STEPWELL_TRAP_OUT_OF_FUEL = 13
class TrapCode(IntEnum):
    HOST = 0
    UNREACHABLE = 1
    MEMORY_OUT_OF_BOUNDS = 2
    TABLE_OUT_OF_BOUNDS = 3
    UNDEFINED_ELEMENT = 4
    UNINITIALIZED_ELEMENT = 5
    INDIRECT_CALL_TYPE_MISMATCH = 6
    INTEGER_DIVISION_BY_ZERO = 7
    INTEGER_OVERFLOW = 8
    INVALID_CONVERSION = 9
    STACK_OVERFLOW = 10
    NULL_REFERENCE = 11
    INTERRUPT = 12
    OUT_OF_FUEL = 13
stepwell_trap_code_t = c_int32
class stepwell_caller_t(Structure): pass
class stepwell_typed_func_t(Structure): pass
stepwell_func_callback_t = CFUNCTYPE(c_void_p, c_void_p, POINTER(stepwell_caller_t), POINTER(wasm_val_vec_t), POINTER(wasm_val_vec_t))
class stepwell_raw_val_t(Union): pass
stepwell_raw_val_t._fields_ = [('i32', c_int32), ('i64', c_int64), ('f32', float32_t), ('f64', float64_t), ('v128', c_uint8 * 16), ('words', c_uint64 * 2)]
stepwell_func_unchecked_callback_t = CFUNCTYPE(c_void_p, c_void_p, POINTER(stepwell_caller_t), POINTER(stepwell_raw_val_t))
class stepwell_exception_t(Structure): pass
class stepwell_tag_t(Structure): pass
class stepwell_instance_pre_t(Structure): pass
class stepwell_linker_t(Structure): pass
class stepwell_wasi_buffer_t(Structure): pass
class stepwell_wasi_config_t(Structure): pass
stepwell_wasi_input_callback_t = CFUNCTYPE(c_size_t, c_void_p, POINTER(byte_t), c_size_t)
stepwell_wasi_output_callback_t = CFUNCTYPE(None, c_void_p, POINTER(byte_t), c_size_t)
STEPWELL_ACTION_CONTINUE = 0
STEPWELL_ACTION_STEP = 1
STEPWELL_ACTION_STEP_OVER = 2
STEPWELL_ACTION_STEP_OUT = 3
STEPWELL_ACTION_TRAP = 4
class Action(IntEnum):
    CONTINUE = 0
    STEP = 1
    STEP_OVER = 2
    STEP_OUT = 3
    TRAP = 4
STEPWELL_STOP_BREAKPOINT = 1
STEPWELL_STOP_STEP = 2
STEPWELL_STOP_TRAP = 3
class StopReason(IntEnum):
    BREAKPOINT = 1
    STEP = 2
    TRAP = 3
class stepwell_debugger_t(Structure): pass
class stepwell_frame_t(Structure): pass
class stepwell_stop_t(Structure): pass
stepwell_action_t = c_int32
stepwell_stop_callback_t = CFUNCTYPE(stepwell_action_t, c_void_p, POINTER(stepwell_stop_t))
stepwell_breakpoint_t = c_uint32
stepwell_stop_reason_t = c_int32
stepwell_guarded_func_callback_t = CFUNCTYPE(None, c_void_p, POINTER(stepwell_caller_t), POINTER(wasm_val_vec_t), POINTER(wasm_val_vec_t), POINTER(stepwell_outcome_t))
stepwell_guarded_stop_callback_t = CFUNCTYPE(None, c_void_p, POINTER(stepwell_stop_t), POINTER(stepwell_outcome_t))
stepwell_guarded_progress_callback_t = CFUNCTYPE(None, c_void_p, c_size_t, c_size_t, POINTER(stepwell_outcome_t))
stepwell_guarded_input_callback_t = CFUNCTYPE(None, c_void_p, POINTER(byte_t), c_size_t, POINTER(stepwell_outcome_t))

wasm_byte_vec_new_empty = function("wasm_byte_vec_new_empty", None, [POINTER(wasm_byte_vec_t)])
wasm_byte_vec_new_uninitialized = function("wasm_byte_vec_new_uninitialized", None, [POINTER(wasm_byte_vec_t), c_size_t])
wasm_byte_vec_new = function("wasm_byte_vec_new", None, [POINTER(wasm_byte_vec_t), c_size_t, POINTER(wasm_byte_t)])
wasm_byte_vec_copy = function("wasm_byte_vec_copy", None, [POINTER(wasm_byte_vec_t), POINTER(wasm_byte_vec_t)])
wasm_byte_vec_delete = function("wasm_byte_vec_delete", None, [POINTER(wasm_byte_vec_t)])
wasm_valtype_vec_new_empty = function("wasm_valtype_vec_new_empty", None, [POINTER(wasm_valtype_vec_t)])
wasm_valtype_vec_new_uninitialized = function("wasm_valtype_vec_new_uninitialized", None, [POINTER(wasm_valtype_vec_t), c_size_t])
wasm_valtype_vec_new = function("wasm_valtype_vec_new", None, [POINTER(wasm_valtype_vec_t), c_size_t, POINTER(POINTER(wasm_valtype_t))])
wasm_valtype_vec_copy = function("wasm_valtype_vec_copy", None, [POINTER(wasm_valtype_vec_t), POINTER(wasm_valtype_vec_t)])
wasm_valtype_vec_delete = function("wasm_valtype_vec_delete", None, [POINTER(wasm_valtype_vec_t)])
wasm_functype_vec_new_empty = function("wasm_functype_vec_new_empty", None, [POINTER(wasm_functype_vec_t)])
wasm_functype_vec_new_uninitialized = function("wasm_functype_vec_new_uninitialized", None, [POINTER(wasm_functype_vec_t), c_size_t])
wasm_functype_vec_new = function("wasm_functype_vec_new", None, [POINTER(wasm_functype_vec_t), c_size_t, POINTER(POINTER(wasm_functype_t))])
wasm_functype_vec_copy = function("wasm_functype_vec_copy", None, [POINTER(wasm_functype_vec_t), POINTER(wasm_functype_vec_t)])
wasm_functype_vec_delete = function("wasm_functype_vec_delete", None, [POINTER(wasm_functype_vec_t)])
wasm_globaltype_vec_new_empty = function("wasm_globaltype_vec_new_empty", None, [POINTER(wasm_globaltype_vec_t)])
wasm_globaltype_vec_new_uninitialized = function("wasm_globaltype_vec_new_uninitialized", None, [POINTER(wasm_globaltype_vec_t), c_size_t])
wasm_globaltype_vec_new = function("wasm_globaltype_vec_new", None, [POINTER(wasm_globaltype_vec_t), c_size_t, POINTER(POINTER(wasm_globaltype_t))])
wasm_globaltype_vec_copy = function("wasm_globaltype_vec_copy", None, [POINTER(wasm_globaltype_vec_t), POINTER(wasm_globaltype_vec_t)])
wasm_globaltype_vec_delete = function("wasm_globaltype_vec_delete", None, [POINTER(wasm_globaltype_vec_t)])
wasm_tabletype_vec_new_empty = function("wasm_tabletype_vec_new_empty", None, [POINTER(wasm_tabletype_vec_t)])
wasm_tabletype_vec_new_uninitialized = function("wasm_tabletype_vec_new_uninitialized", None, [POINTER(wasm_tabletype_vec_t), c_size_t])
wasm_tabletype_vec_new = function("wasm_tabletype_vec_new", None, [POINTER(wasm_tabletype_vec_t), c_size_t, POINTER(POINTER(wasm_tabletype_t))])
wasm_tabletype_vec_copy = function("wasm_tabletype_vec_copy", None, [POINTER(wasm_tabletype_vec_t), POINTER(wasm_tabletype_vec_t)])
wasm_tabletype_vec_delete = function("wasm_tabletype_vec_delete", None, [POINTER(wasm_tabletype_vec_t)])
wasm_memorytype_vec_new_empty = function("wasm_memorytype_vec_new_empty", None, [POINTER(wasm_memorytype_vec_t)])
wasm_memorytype_vec_new_uninitialized = function("wasm_memorytype_vec_new_uninitialized", None, [POINTER(wasm_memorytype_vec_t), c_size_t])
wasm_memorytype_vec_new = function("wasm_memorytype_vec_new", None, [POINTER(wasm_memorytype_vec_t), c_size_t, POINTER(POINTER(wasm_memorytype_t))])
wasm_memorytype_vec_copy = function("wasm_memorytype_vec_copy", None, [POINTER(wasm_memorytype_vec_t), POINTER(wasm_memorytype_vec_t)])
wasm_memorytype_vec_delete = function("wasm_memorytype_vec_delete", None, [POINTER(wasm_memorytype_vec_t)])
wasm_tagtype_vec_new_empty = function("wasm_tagtype_vec_new_empty", None, [POINTER(wasm_tagtype_vec_t)])
wasm_tagtype_vec_new_uninitialized = function("wasm_tagtype_vec_new_uninitialized", None, [POINTER(wasm_tagtype_vec_t), c_size_t])
wasm_tagtype_vec_new = function("wasm_tagtype_vec_new", None, [POINTER(wasm_tagtype_vec_t), c_size_t, POINTER(POINTER(wasm_tagtype_t))])
wasm_tagtype_vec_copy = function("wasm_tagtype_vec_copy", None, [POINTER(wasm_tagtype_vec_t), POINTER(wasm_tagtype_vec_t)])
wasm_tagtype_vec_delete = function("wasm_tagtype_vec_delete", None, [POINTER(wasm_tagtype_vec_t)])
wasm_externtype_vec_new_empty = function("wasm_externtype_vec_new_empty", None, [POINTER(wasm_externtype_vec_t)])
wasm_externtype_vec_new_uninitialized = function("wasm_externtype_vec_new_uninitialized", None, [POINTER(wasm_externtype_vec_t), c_size_t])
wasm_externtype_vec_new = function("wasm_externtype_vec_new", None, [POINTER(wasm_externtype_vec_t), c_size_t, POINTER(POINTER(wasm_externtype_t))])
wasm_externtype_vec_copy = function("wasm_externtype_vec_copy", None, [POINTER(wasm_externtype_vec_t), POINTER(wasm_externtype_vec_t)])
wasm_externtype_vec_delete = function("wasm_externtype_vec_delete", None, [POINTER(wasm_externtype_vec_t)])
wasm_importtype_vec_new_empty = function("wasm_importtype_vec_new_empty", None, [POINTER(wasm_importtype_vec_t)])
wasm_importtype_vec_new_uninitialized = function("wasm_importtype_vec_new_uninitialized", None, [POINTER(wasm_importtype_vec_t), c_size_t])
wasm_importtype_vec_new = function("wasm_importtype_vec_new", None, [POINTER(wasm_importtype_vec_t), c_size_t, POINTER(POINTER(wasm_importtype_t))])
wasm_importtype_vec_copy = function("wasm_importtype_vec_copy", None, [POINTER(wasm_importtype_vec_t), POINTER(wasm_importtype_vec_t)])
wasm_importtype_vec_delete = function("wasm_importtype_vec_delete", None, [POINTER(wasm_importtype_vec_t)])
wasm_exporttype_vec_new_empty = function("wasm_exporttype_vec_new_empty", None, [POINTER(wasm_exporttype_vec_t)])
wasm_exporttype_vec_new_uninitialized = function("wasm_exporttype_vec_new_uninitialized", None, [POINTER(wasm_exporttype_vec_t), c_size_t])
wasm_exporttype_vec_new = function("wasm_exporttype_vec_new", None, [POINTER(wasm_exporttype_vec_t), c_size_t, POINTER(POINTER(wasm_exporttype_t))])
wasm_exporttype_vec_copy = function("wasm_exporttype_vec_copy", None, [POINTER(wasm_exporttype_vec_t), POINTER(wasm_exporttype_vec_t)])
wasm_exporttype_vec_delete = function("wasm_exporttype_vec_delete", None, [POINTER(wasm_exporttype_vec_t)])
wasm_val_vec_new_empty = function("wasm_val_vec_new_empty", None, [POINTER(wasm_val_vec_t)])
wasm_val_vec_new_uninitialized = function("wasm_val_vec_new_uninitialized", None, [POINTER(wasm_val_vec_t), c_size_t])
wasm_val_vec_new = function("wasm_val_vec_new", None, [POINTER(wasm_val_vec_t), c_size_t, POINTER(wasm_val_t)])
wasm_val_vec_copy = function("wasm_val_vec_copy", None, [POINTER(wasm_val_vec_t), POINTER(wasm_val_vec_t)])
wasm_val_vec_delete = function("wasm_val_vec_delete", None, [POINTER(wasm_val_vec_t)])
wasm_frame_vec_new_empty = function("wasm_frame_vec_new_empty", None, [POINTER(wasm_frame_vec_t)])
wasm_frame_vec_new_uninitialized = function("wasm_frame_vec_new_uninitialized", None, [POINTER(wasm_frame_vec_t), c_size_t])
wasm_frame_vec_new = function("wasm_frame_vec_new", None, [POINTER(wasm_frame_vec_t), c_size_t, POINTER(POINTER(wasm_frame_t))])
wasm_frame_vec_copy = function("wasm_frame_vec_copy", None, [POINTER(wasm_frame_vec_t), POINTER(wasm_frame_vec_t)])
wasm_frame_vec_delete = function("wasm_frame_vec_delete", None, [POINTER(wasm_frame_vec_t)])
wasm_extern_vec_new_empty = function("wasm_extern_vec_new_empty", None, [POINTER(wasm_extern_vec_t)])
wasm_extern_vec_new_uninitialized = function("wasm_extern_vec_new_uninitialized", None, [POINTER(wasm_extern_vec_t), c_size_t])
wasm_extern_vec_new = function("wasm_extern_vec_new", None, [POINTER(wasm_extern_vec_t), c_size_t, POINTER(POINTER(wasm_extern_t))])
wasm_extern_vec_copy = function("wasm_extern_vec_copy", None, [POINTER(wasm_extern_vec_t), POINTER(wasm_extern_vec_t)])
wasm_extern_vec_delete = function("wasm_extern_vec_delete", None, [POINTER(wasm_extern_vec_t)])
wasm_config_new = function("wasm_config_new", POINTER(wasm_config_t), [])
wasm_config_delete = function("wasm_config_delete", None, [POINTER(wasm_config_t)])
wasm_engine_new = function("wasm_engine_new", POINTER(wasm_engine_t), [])
wasm_engine_new_with_config = function("wasm_engine_new_with_config", POINTER(wasm_engine_t), [POINTER(wasm_config_t)])
wasm_engine_delete = function("wasm_engine_delete", None, [POINTER(wasm_engine_t)])
wasm_store_new = function("wasm_store_new", POINTER(wasm_store_t), [POINTER(wasm_engine_t)])
wasm_store_delete = function("wasm_store_delete", None, [POINTER(wasm_store_t)])
wasm_valtype_new = function("wasm_valtype_new", POINTER(wasm_valtype_t), [wasm_valkind_t])
wasm_valtype_delete = function("wasm_valtype_delete", None, [POINTER(wasm_valtype_t)])
wasm_valtype_copy = function("wasm_valtype_copy", POINTER(wasm_valtype_t), [POINTER(wasm_valtype_t)])
wasm_valtype_kind = function("wasm_valtype_kind", wasm_valkind_t, [POINTER(wasm_valtype_t)])
wasm_functype_new = function("wasm_functype_new", POINTER(wasm_functype_t), [POINTER(wasm_valtype_vec_t), POINTER(wasm_valtype_vec_t)])
wasm_functype_delete = function("wasm_functype_delete", None, [POINTER(wasm_functype_t)])
wasm_functype_copy = function("wasm_functype_copy", POINTER(wasm_functype_t), [POINTER(wasm_functype_t)])
wasm_functype_params = function("wasm_functype_params", POINTER(wasm_valtype_vec_t), [POINTER(wasm_functype_t)])
wasm_functype_results = function("wasm_functype_results", POINTER(wasm_valtype_vec_t), [POINTER(wasm_functype_t)])
wasm_globaltype_new = function("wasm_globaltype_new", POINTER(wasm_globaltype_t), [POINTER(wasm_valtype_t), wasm_mutability_t])
wasm_globaltype_delete = function("wasm_globaltype_delete", None, [POINTER(wasm_globaltype_t)])
wasm_globaltype_copy = function("wasm_globaltype_copy", POINTER(wasm_globaltype_t), [POINTER(wasm_globaltype_t)])
wasm_globaltype_content = function("wasm_globaltype_content", POINTER(wasm_valtype_t), [POINTER(wasm_globaltype_t)])
wasm_globaltype_mutability = function("wasm_globaltype_mutability", wasm_mutability_t, [POINTER(wasm_globaltype_t)])
wasm_tabletype_new = function("wasm_tabletype_new", POINTER(wasm_tabletype_t), [POINTER(wasm_valtype_t), POINTER(wasm_limits_t)])
wasm_tabletype_delete = function("wasm_tabletype_delete", None, [POINTER(wasm_tabletype_t)])
wasm_tabletype_copy = function("wasm_tabletype_copy", POINTER(wasm_tabletype_t), [POINTER(wasm_tabletype_t)])
wasm_tabletype_element = function("wasm_tabletype_element", POINTER(wasm_valtype_t), [POINTER(wasm_tabletype_t)])
wasm_tabletype_limits = function("wasm_tabletype_limits", POINTER(wasm_limits_t), [POINTER(wasm_tabletype_t)])
wasm_memorytype_new = function("wasm_memorytype_new", POINTER(wasm_memorytype_t), [POINTER(wasm_limits_t)])
wasm_memorytype_delete = function("wasm_memorytype_delete", None, [POINTER(wasm_memorytype_t)])
wasm_memorytype_copy = function("wasm_memorytype_copy", POINTER(wasm_memorytype_t), [POINTER(wasm_memorytype_t)])
wasm_memorytype_limits = function("wasm_memorytype_limits", POINTER(wasm_limits_t), [POINTER(wasm_memorytype_t)])
wasm_tagtype_new = function("wasm_tagtype_new", POINTER(wasm_tagtype_t), [POINTER(wasm_functype_t)])
wasm_tagtype_delete = function("wasm_tagtype_delete", None, [POINTER(wasm_tagtype_t)])
wasm_tagtype_copy = function("wasm_tagtype_copy", POINTER(wasm_tagtype_t), [POINTER(wasm_tagtype_t)])
wasm_tagtype_functype = function("wasm_tagtype_functype", POINTER(wasm_functype_t), [POINTER(wasm_tagtype_t)])
wasm_externtype_delete = function("wasm_externtype_delete", None, [POINTER(wasm_externtype_t)])
wasm_externtype_copy = function("wasm_externtype_copy", POINTER(wasm_externtype_t), [POINTER(wasm_externtype_t)])
wasm_externtype_kind = function("wasm_externtype_kind", wasm_externkind_t, [POINTER(wasm_externtype_t)])
wasm_functype_as_externtype = function("wasm_functype_as_externtype", POINTER(wasm_externtype_t), [POINTER(wasm_functype_t)])
wasm_externtype_as_functype = function("wasm_externtype_as_functype", POINTER(wasm_functype_t), [POINTER(wasm_externtype_t)])
wasm_globaltype_as_externtype = function("wasm_globaltype_as_externtype", POINTER(wasm_externtype_t), [POINTER(wasm_globaltype_t)])
wasm_externtype_as_globaltype = function("wasm_externtype_as_globaltype", POINTER(wasm_globaltype_t), [POINTER(wasm_externtype_t)])
wasm_tabletype_as_externtype = function("wasm_tabletype_as_externtype", POINTER(wasm_externtype_t), [POINTER(wasm_tabletype_t)])
wasm_externtype_as_tabletype = function("wasm_externtype_as_tabletype", POINTER(wasm_tabletype_t), [POINTER(wasm_externtype_t)])
wasm_memorytype_as_externtype = function("wasm_memorytype_as_externtype", POINTER(wasm_externtype_t), [POINTER(wasm_memorytype_t)])
wasm_externtype_as_memorytype = function("wasm_externtype_as_memorytype", POINTER(wasm_memorytype_t), [POINTER(wasm_externtype_t)])
wasm_functype_as_externtype_const = function("wasm_functype_as_externtype_const", POINTER(wasm_externtype_t), [POINTER(wasm_functype_t)])
wasm_externtype_as_functype_const = function("wasm_externtype_as_functype_const", POINTER(wasm_functype_t), [POINTER(wasm_externtype_t)])
wasm_globaltype_as_externtype_const = function("wasm_globaltype_as_externtype_const", POINTER(wasm_externtype_t), [POINTER(wasm_globaltype_t)])
wasm_externtype_as_globaltype_const = function("wasm_externtype_as_globaltype_const", POINTER(wasm_globaltype_t), [POINTER(wasm_externtype_t)])
wasm_tabletype_as_externtype_const = function("wasm_tabletype_as_externtype_const", POINTER(wasm_externtype_t), [POINTER(wasm_tabletype_t)])
wasm_externtype_as_tabletype_const = function("wasm_externtype_as_tabletype_const", POINTER(wasm_tabletype_t), [POINTER(wasm_externtype_t)])
wasm_memorytype_as_externtype_const = function("wasm_memorytype_as_externtype_const", POINTER(wasm_externtype_t), [POINTER(wasm_memorytype_t)])
wasm_externtype_as_memorytype_const = function("wasm_externtype_as_memorytype_const", POINTER(wasm_memorytype_t), [POINTER(wasm_externtype_t)])
wasm_tagtype_as_externtype = function("wasm_tagtype_as_externtype", POINTER(wasm_externtype_t), [POINTER(wasm_tagtype_t)])
wasm_externtype_as_tagtype = function("wasm_externtype_as_tagtype", POINTER(wasm_tagtype_t), [POINTER(wasm_externtype_t)])
wasm_tagtype_as_externtype_const = function("wasm_tagtype_as_externtype_const", POINTER(wasm_externtype_t), [POINTER(wasm_tagtype_t)])
wasm_externtype_as_tagtype_const = function("wasm_externtype_as_tagtype_const", POINTER(wasm_tagtype_t), [POINTER(wasm_externtype_t)])
wasm_importtype_new = function("wasm_importtype_new", POINTER(wasm_importtype_t), [POINTER(wasm_name_t), POINTER(wasm_name_t), POINTER(wasm_externtype_t)])
wasm_importtype_delete = function("wasm_importtype_delete", None, [POINTER(wasm_importtype_t)])
wasm_importtype_copy = function("wasm_importtype_copy", POINTER(wasm_importtype_t), [POINTER(wasm_importtype_t)])
wasm_importtype_module = function("wasm_importtype_module", POINTER(wasm_name_t), [POINTER(wasm_importtype_t)])
wasm_importtype_name = function("wasm_importtype_name", POINTER(wasm_name_t), [POINTER(wasm_importtype_t)])
wasm_importtype_type = function("wasm_importtype_type", POINTER(wasm_externtype_t), [POINTER(wasm_importtype_t)])
wasm_exporttype_new = function("wasm_exporttype_new", POINTER(wasm_exporttype_t), [POINTER(wasm_name_t), POINTER(wasm_externtype_t)])
wasm_exporttype_delete = function("wasm_exporttype_delete", None, [POINTER(wasm_exporttype_t)])
wasm_exporttype_copy = function("wasm_exporttype_copy", POINTER(wasm_exporttype_t), [POINTER(wasm_exporttype_t)])
wasm_exporttype_name = function("wasm_exporttype_name", POINTER(wasm_name_t), [POINTER(wasm_exporttype_t)])
wasm_exporttype_type = function("wasm_exporttype_type", POINTER(wasm_externtype_t), [POINTER(wasm_exporttype_t)])
wasm_val_delete = function("wasm_val_delete", None, [POINTER(wasm_val_t)])
wasm_val_copy = function("wasm_val_copy", None, [POINTER(wasm_val_t), POINTER(wasm_val_t)])
wasm_ref_delete = function("wasm_ref_delete", None, [POINTER(wasm_ref_t)])
wasm_ref_copy = function("wasm_ref_copy", POINTER(wasm_ref_t), [POINTER(wasm_ref_t)])
wasm_ref_same = function("wasm_ref_same", c_bool, [POINTER(wasm_ref_t), POINTER(wasm_ref_t)])
wasm_ref_get_host_info = function("wasm_ref_get_host_info", c_void_p, [POINTER(wasm_ref_t)])
wasm_ref_set_host_info = function("wasm_ref_set_host_info", None, [POINTER(wasm_ref_t), c_void_p])
wasm_ref_set_host_info_with_finalizer = function("wasm_ref_set_host_info_with_finalizer", None, [POINTER(wasm_ref_t), c_void_p, CFUNCTYPE(None, c_void_p)])
wasm_trap_delete = function("wasm_trap_delete", None, [POINTER(wasm_trap_t)])
wasm_trap_copy = function("wasm_trap_copy", POINTER(wasm_trap_t), [POINTER(wasm_trap_t)])
wasm_trap_same = function("wasm_trap_same", c_bool, [POINTER(wasm_trap_t), POINTER(wasm_trap_t)])
wasm_trap_get_host_info = function("wasm_trap_get_host_info", c_void_p, [POINTER(wasm_trap_t)])
wasm_trap_set_host_info = function("wasm_trap_set_host_info", None, [POINTER(wasm_trap_t), c_void_p])
wasm_trap_set_host_info_with_finalizer = function("wasm_trap_set_host_info_with_finalizer", None, [POINTER(wasm_trap_t), c_void_p, CFUNCTYPE(None, c_void_p)])
wasm_trap_as_ref = function("wasm_trap_as_ref", POINTER(wasm_ref_t), [POINTER(wasm_trap_t)])
wasm_ref_as_trap = function("wasm_ref_as_trap", POINTER(wasm_trap_t), [POINTER(wasm_ref_t)])
wasm_trap_as_ref_const = function("wasm_trap_as_ref_const", POINTER(wasm_ref_t), [POINTER(wasm_trap_t)])
wasm_ref_as_trap_const = function("wasm_ref_as_trap_const", POINTER(wasm_trap_t), [POINTER(wasm_ref_t)])
wasm_foreign_delete = function("wasm_foreign_delete", None, [POINTER(wasm_foreign_t)])
wasm_foreign_copy = function("wasm_foreign_copy", POINTER(wasm_foreign_t), [POINTER(wasm_foreign_t)])
wasm_foreign_same = function("wasm_foreign_same", c_bool, [POINTER(wasm_foreign_t), POINTER(wasm_foreign_t)])
wasm_foreign_get_host_info = function("wasm_foreign_get_host_info", c_void_p, [POINTER(wasm_foreign_t)])
wasm_foreign_set_host_info = function("wasm_foreign_set_host_info", None, [POINTER(wasm_foreign_t), c_void_p])
wasm_foreign_set_host_info_with_finalizer = function("wasm_foreign_set_host_info_with_finalizer", None, [POINTER(wasm_foreign_t), c_void_p, CFUNCTYPE(None, c_void_p)])
wasm_foreign_as_ref = function("wasm_foreign_as_ref", POINTER(wasm_ref_t), [POINTER(wasm_foreign_t)])
wasm_ref_as_foreign = function("wasm_ref_as_foreign", POINTER(wasm_foreign_t), [POINTER(wasm_ref_t)])
wasm_foreign_as_ref_const = function("wasm_foreign_as_ref_const", POINTER(wasm_ref_t), [POINTER(wasm_foreign_t)])
wasm_ref_as_foreign_const = function("wasm_ref_as_foreign_const", POINTER(wasm_foreign_t), [POINTER(wasm_ref_t)])
wasm_module_delete = function("wasm_module_delete", None, [POINTER(wasm_module_t)])
wasm_module_copy = function("wasm_module_copy", POINTER(wasm_module_t), [POINTER(wasm_module_t)])
wasm_module_same = function("wasm_module_same", c_bool, [POINTER(wasm_module_t), POINTER(wasm_module_t)])
wasm_module_get_host_info = function("wasm_module_get_host_info", c_void_p, [POINTER(wasm_module_t)])
wasm_module_set_host_info = function("wasm_module_set_host_info", None, [POINTER(wasm_module_t), c_void_p])
wasm_module_set_host_info_with_finalizer = function("wasm_module_set_host_info_with_finalizer", None, [POINTER(wasm_module_t), c_void_p, CFUNCTYPE(None, c_void_p)])
wasm_module_as_ref = function("wasm_module_as_ref", POINTER(wasm_ref_t), [POINTER(wasm_module_t)])
wasm_ref_as_module = function("wasm_ref_as_module", POINTER(wasm_module_t), [POINTER(wasm_ref_t)])
wasm_module_as_ref_const = function("wasm_module_as_ref_const", POINTER(wasm_ref_t), [POINTER(wasm_module_t)])
wasm_ref_as_module_const = function("wasm_ref_as_module_const", POINTER(wasm_module_t), [POINTER(wasm_ref_t)])
wasm_func_delete = function("wasm_func_delete", None, [POINTER(wasm_func_t)])
wasm_func_copy = function("wasm_func_copy", POINTER(wasm_func_t), [POINTER(wasm_func_t)])
wasm_func_same = function("wasm_func_same", c_bool, [POINTER(wasm_func_t), POINTER(wasm_func_t)])
wasm_func_get_host_info = function("wasm_func_get_host_info", c_void_p, [POINTER(wasm_func_t)])
wasm_func_set_host_info = function("wasm_func_set_host_info", None, [POINTER(wasm_func_t), c_void_p])
wasm_func_set_host_info_with_finalizer = function("wasm_func_set_host_info_with_finalizer", None, [POINTER(wasm_func_t), c_void_p, CFUNCTYPE(None, c_void_p)])
wasm_func_as_ref = function("wasm_func_as_ref", POINTER(wasm_ref_t), [POINTER(wasm_func_t)])
wasm_ref_as_func = function("wasm_ref_as_func", POINTER(wasm_func_t), [POINTER(wasm_ref_t)])
wasm_func_as_ref_const = function("wasm_func_as_ref_const", POINTER(wasm_ref_t), [POINTER(wasm_func_t)])
wasm_ref_as_func_const = function("wasm_ref_as_func_const", POINTER(wasm_func_t), [POINTER(wasm_ref_t)])
wasm_func_as_extern = function("wasm_func_as_extern", POINTER(wasm_extern_t), [POINTER(wasm_func_t)])
wasm_extern_as_func = function("wasm_extern_as_func", POINTER(wasm_func_t), [POINTER(wasm_extern_t)])
wasm_func_as_extern_const = function("wasm_func_as_extern_const", POINTER(wasm_extern_t), [POINTER(wasm_func_t)])
wasm_extern_as_func_const = function("wasm_extern_as_func_const", POINTER(wasm_func_t), [POINTER(wasm_extern_t)])
wasm_global_delete = function("wasm_global_delete", None, [POINTER(wasm_global_t)])
wasm_global_copy = function("wasm_global_copy", POINTER(wasm_global_t), [POINTER(wasm_global_t)])
wasm_global_same = function("wasm_global_same", c_bool, [POINTER(wasm_global_t), POINTER(wasm_global_t)])
wasm_global_get_host_info = function("wasm_global_get_host_info", c_void_p, [POINTER(wasm_global_t)])
wasm_global_set_host_info = function("wasm_global_set_host_info", None, [POINTER(wasm_global_t), c_void_p])
wasm_global_set_host_info_with_finalizer = function("wasm_global_set_host_info_with_finalizer", None, [POINTER(wasm_global_t), c_void_p, CFUNCTYPE(None, c_void_p)])
wasm_global_as_ref = function("wasm_global_as_ref", POINTER(wasm_ref_t), [POINTER(wasm_global_t)])
wasm_ref_as_global = function("wasm_ref_as_global", POINTER(wasm_global_t), [POINTER(wasm_ref_t)])
wasm_global_as_ref_const = function("wasm_global_as_ref_const", POINTER(wasm_ref_t), [POINTER(wasm_global_t)])
wasm_ref_as_global_const = function("wasm_ref_as_global_const", POINTER(wasm_global_t), [POINTER(wasm_ref_t)])
wasm_global_as_extern = function("wasm_global_as_extern", POINTER(wasm_extern_t), [POINTER(wasm_global_t)])
wasm_extern_as_global = function("wasm_extern_as_global", POINTER(wasm_global_t), [POINTER(wasm_extern_t)])
wasm_global_as_extern_const = function("wasm_global_as_extern_const", POINTER(wasm_extern_t), [POINTER(wasm_global_t)])
wasm_extern_as_global_const = function("wasm_extern_as_global_const", POINTER(wasm_global_t), [POINTER(wasm_extern_t)])
wasm_table_delete = function("wasm_table_delete", None, [POINTER(wasm_table_t)])
wasm_table_copy = function("wasm_table_copy", POINTER(wasm_table_t), [POINTER(wasm_table_t)])
wasm_table_same = function("wasm_table_same", c_bool, [POINTER(wasm_table_t), POINTER(wasm_table_t)])
wasm_table_get_host_info = function("wasm_table_get_host_info", c_void_p, [POINTER(wasm_table_t)])
wasm_table_set_host_info = function("wasm_table_set_host_info", None, [POINTER(wasm_table_t), c_void_p])
wasm_table_set_host_info_with_finalizer = function("wasm_table_set_host_info_with_finalizer", None, [POINTER(wasm_table_t), c_void_p, CFUNCTYPE(None, c_void_p)])
wasm_table_as_ref = function("wasm_table_as_ref", POINTER(wasm_ref_t), [POINTER(wasm_table_t)])
wasm_ref_as_table = function("wasm_ref_as_table", POINTER(wasm_table_t), [POINTER(wasm_ref_t)])
wasm_table_as_ref_const = function("wasm_table_as_ref_const", POINTER(wasm_ref_t), [POINTER(wasm_table_t)])
wasm_ref_as_table_const = function("wasm_ref_as_table_const", POINTER(wasm_table_t), [POINTER(wasm_ref_t)])
wasm_table_as_extern = function("wasm_table_as_extern", POINTER(wasm_extern_t), [POINTER(wasm_table_t)])
wasm_extern_as_table = function("wasm_extern_as_table", POINTER(wasm_table_t), [POINTER(wasm_extern_t)])
wasm_table_as_extern_const = function("wasm_table_as_extern_const", POINTER(wasm_extern_t), [POINTER(wasm_table_t)])
wasm_extern_as_table_const = function("wasm_extern_as_table_const", POINTER(wasm_table_t), [POINTER(wasm_extern_t)])
wasm_memory_delete = function("wasm_memory_delete", None, [POINTER(wasm_memory_t)])
wasm_memory_copy = function("wasm_memory_copy", POINTER(wasm_memory_t), [POINTER(wasm_memory_t)])
wasm_memory_same = function("wasm_memory_same", c_bool, [POINTER(wasm_memory_t), POINTER(wasm_memory_t)])
wasm_memory_get_host_info = function("wasm_memory_get_host_info", c_void_p, [POINTER(wasm_memory_t)])
wasm_memory_set_host_info = function("wasm_memory_set_host_info", None, [POINTER(wasm_memory_t), c_void_p])
wasm_memory_set_host_info_with_finalizer = function("wasm_memory_set_host_info_with_finalizer", None, [POINTER(wasm_memory_t), c_void_p, CFUNCTYPE(None, c_void_p)])
wasm_memory_as_ref = function("wasm_memory_as_ref", POINTER(wasm_ref_t), [POINTER(wasm_memory_t)])
wasm_ref_as_memory = function("wasm_ref_as_memory", POINTER(wasm_memory_t), [POINTER(wasm_ref_t)])
wasm_memory_as_ref_const = function("wasm_memory_as_ref_const", POINTER(wasm_ref_t), [POINTER(wasm_memory_t)])
wasm_ref_as_memory_const = function("wasm_ref_as_memory_const", POINTER(wasm_memory_t), [POINTER(wasm_ref_t)])
wasm_memory_as_extern = function("wasm_memory_as_extern", POINTER(wasm_extern_t), [POINTER(wasm_memory_t)])
wasm_extern_as_memory = function("wasm_extern_as_memory", POINTER(wasm_memory_t), [POINTER(wasm_extern_t)])
wasm_memory_as_extern_const = function("wasm_memory_as_extern_const", POINTER(wasm_extern_t), [POINTER(wasm_memory_t)])
wasm_extern_as_memory_const = function("wasm_extern_as_memory_const", POINTER(wasm_memory_t), [POINTER(wasm_extern_t)])
wasm_extern_delete = function("wasm_extern_delete", None, [POINTER(wasm_extern_t)])
wasm_extern_copy = function("wasm_extern_copy", POINTER(wasm_extern_t), [POINTER(wasm_extern_t)])
wasm_extern_same = function("wasm_extern_same", c_bool, [POINTER(wasm_extern_t), POINTER(wasm_extern_t)])
wasm_extern_get_host_info = function("wasm_extern_get_host_info", c_void_p, [POINTER(wasm_extern_t)])
wasm_extern_set_host_info = function("wasm_extern_set_host_info", None, [POINTER(wasm_extern_t), c_void_p])
wasm_extern_set_host_info_with_finalizer = function("wasm_extern_set_host_info_with_finalizer", None, [POINTER(wasm_extern_t), c_void_p, CFUNCTYPE(None, c_void_p)])
wasm_extern_as_ref = function("wasm_extern_as_ref", POINTER(wasm_ref_t), [POINTER(wasm_extern_t)])
wasm_ref_as_extern = function("wasm_ref_as_extern", POINTER(wasm_extern_t), [POINTER(wasm_ref_t)])
wasm_extern_as_ref_const = function("wasm_extern_as_ref_const", POINTER(wasm_ref_t), [POINTER(wasm_extern_t)])
wasm_ref_as_extern_const = function("wasm_ref_as_extern_const", POINTER(wasm_extern_t), [POINTER(wasm_ref_t)])
wasm_instance_delete = function("wasm_instance_delete", None, [POINTER(wasm_instance_t)])
wasm_instance_copy = function("wasm_instance_copy", POINTER(wasm_instance_t), [POINTER(wasm_instance_t)])
wasm_instance_same = function("wasm_instance_same", c_bool, [POINTER(wasm_instance_t), POINTER(wasm_instance_t)])
wasm_instance_get_host_info = function("wasm_instance_get_host_info", c_void_p, [POINTER(wasm_instance_t)])
wasm_instance_set_host_info = function("wasm_instance_set_host_info", None, [POINTER(wasm_instance_t), c_void_p])
wasm_instance_set_host_info_with_finalizer = function("wasm_instance_set_host_info_with_finalizer", None, [POINTER(wasm_instance_t), c_void_p, CFUNCTYPE(None, c_void_p)])
wasm_instance_as_ref = function("wasm_instance_as_ref", POINTER(wasm_ref_t), [POINTER(wasm_instance_t)])
wasm_ref_as_instance = function("wasm_ref_as_instance", POINTER(wasm_instance_t), [POINTER(wasm_ref_t)])
wasm_instance_as_ref_const = function("wasm_instance_as_ref_const", POINTER(wasm_ref_t), [POINTER(wasm_instance_t)])
wasm_ref_as_instance_const = function("wasm_ref_as_instance_const", POINTER(wasm_instance_t), [POINTER(wasm_ref_t)])
wasm_frame_delete = function("wasm_frame_delete", None, [POINTER(wasm_frame_t)])
wasm_frame_copy = function("wasm_frame_copy", POINTER(wasm_frame_t), [POINTER(wasm_frame_t)])
wasm_frame_instance = function("wasm_frame_instance", POINTER(wasm_instance_t), [POINTER(wasm_frame_t)])
wasm_frame_func_index = function("wasm_frame_func_index", c_uint32, [POINTER(wasm_frame_t)])
wasm_frame_func_offset = function("wasm_frame_func_offset", c_size_t, [POINTER(wasm_frame_t)])
wasm_frame_module_offset = function("wasm_frame_module_offset", c_size_t, [POINTER(wasm_frame_t)])
wasm_trap_new = function("wasm_trap_new", POINTER(wasm_trap_t), [POINTER(wasm_store_t), POINTER(wasm_message_t)])
wasm_trap_message = function("wasm_trap_message", None, [POINTER(wasm_trap_t), POINTER(wasm_message_t)])
wasm_trap_origin = function("wasm_trap_origin", POINTER(wasm_frame_t), [POINTER(wasm_trap_t)])
wasm_trap_trace = function("wasm_trap_trace", None, [POINTER(wasm_trap_t), POINTER(wasm_frame_vec_t)])
wasm_foreign_new = function("wasm_foreign_new", POINTER(wasm_foreign_t), [POINTER(wasm_store_t)])
wasm_module_new = function("wasm_module_new", POINTER(wasm_module_t), [POINTER(wasm_store_t), POINTER(wasm_byte_vec_t)])
wasm_module_validate = function("wasm_module_validate", c_bool, [POINTER(wasm_store_t), POINTER(wasm_byte_vec_t)])
wasm_module_imports = function("wasm_module_imports", None, [POINTER(wasm_module_t), POINTER(wasm_importtype_vec_t)])
wasm_module_exports = function("wasm_module_exports", None, [POINTER(wasm_module_t), POINTER(wasm_exporttype_vec_t)])
wasm_module_share = function("wasm_module_share", POINTER(wasm_shared_module_t), [POINTER(wasm_module_t)])
wasm_module_obtain = function("wasm_module_obtain", POINTER(wasm_module_t), [POINTER(wasm_store_t), POINTER(wasm_shared_module_t)])
wasm_shared_module_delete = function("wasm_shared_module_delete", None, [POINTER(wasm_shared_module_t)])
wasm_module_serialize = function("wasm_module_serialize", None, [POINTER(wasm_module_t), POINTER(wasm_byte_vec_t)])
wasm_module_deserialize = function("wasm_module_deserialize", POINTER(wasm_module_t), [POINTER(wasm_store_t), POINTER(wasm_byte_vec_t)])
wasm_func_new = function("wasm_func_new", POINTER(wasm_func_t), [POINTER(wasm_store_t), POINTER(wasm_functype_t), wasm_func_callback_t])
wasm_func_new_with_env = function("wasm_func_new_with_env", POINTER(wasm_func_t), [POINTER(wasm_store_t), POINTER(wasm_functype_t), wasm_func_callback_with_env_t, c_void_p, CFUNCTYPE(None, c_void_p)])
wasm_func_type = function("wasm_func_type", POINTER(wasm_functype_t), [POINTER(wasm_func_t)])
wasm_func_param_arity = function("wasm_func_param_arity", c_size_t, [POINTER(wasm_func_t)])
wasm_func_result_arity = function("wasm_func_result_arity", c_size_t, [POINTER(wasm_func_t)])
wasm_func_call = function("wasm_func_call", POINTER(wasm_trap_t), [POINTER(wasm_func_t), POINTER(wasm_val_vec_t), POINTER(wasm_val_vec_t)])
wasm_global_new = function("wasm_global_new", POINTER(wasm_global_t), [POINTER(wasm_store_t), POINTER(wasm_globaltype_t), POINTER(wasm_val_t)])
wasm_global_type = function("wasm_global_type", POINTER(wasm_globaltype_t), [POINTER(wasm_global_t)])
wasm_global_get = function("wasm_global_get", None, [POINTER(wasm_global_t), POINTER(wasm_val_t)])
wasm_global_set = function("wasm_global_set", None, [POINTER(wasm_global_t), POINTER(wasm_val_t)])
wasm_table_new = function("wasm_table_new", POINTER(wasm_table_t), [POINTER(wasm_store_t), POINTER(wasm_tabletype_t), POINTER(wasm_ref_t)])
wasm_table_type = function("wasm_table_type", POINTER(wasm_tabletype_t), [POINTER(wasm_table_t)])
wasm_table_get = function("wasm_table_get", POINTER(wasm_ref_t), [POINTER(wasm_table_t), wasm_table_size_t])
wasm_table_set = function("wasm_table_set", c_bool, [POINTER(wasm_table_t), wasm_table_size_t, POINTER(wasm_ref_t)])
wasm_table_size = function("wasm_table_size", wasm_table_size_t, [POINTER(wasm_table_t)])
wasm_table_grow = function("wasm_table_grow", c_bool, [POINTER(wasm_table_t), wasm_table_size_t, POINTER(wasm_ref_t)])
wasm_memory_new = function("wasm_memory_new", POINTER(wasm_memory_t), [POINTER(wasm_store_t), POINTER(wasm_memorytype_t)])
wasm_memory_type = function("wasm_memory_type", POINTER(wasm_memorytype_t), [POINTER(wasm_memory_t)])
wasm_memory_data = function("wasm_memory_data", POINTER(byte_t), [POINTER(wasm_memory_t)])
wasm_memory_data_size = function("wasm_memory_data_size", c_size_t, [POINTER(wasm_memory_t)])
wasm_memory_size = function("wasm_memory_size", wasm_memory_pages_t, [POINTER(wasm_memory_t)])
wasm_memory_grow = function("wasm_memory_grow", c_bool, [POINTER(wasm_memory_t), wasm_memory_pages_t])
wasm_extern_kind = function("wasm_extern_kind", wasm_externkind_t, [POINTER(wasm_extern_t)])
wasm_extern_type = function("wasm_extern_type", POINTER(wasm_externtype_t), [POINTER(wasm_extern_t)])
wasm_instance_new = function("wasm_instance_new", POINTER(wasm_instance_t), [POINTER(wasm_store_t), POINTER(wasm_module_t), POINTER(wasm_extern_vec_t), POINTER(POINTER(wasm_trap_t))])
wasm_instance_exports = function("wasm_instance_exports", None, [POINTER(wasm_instance_t), POINTER(wasm_extern_vec_t)])
stepwell_version_number = function("stepwell_version_number", c_uint32, [])
stepwell_version_string = function("stepwell_version_string", c_char_p, [])
stepwell_val_new_v128 = function("stepwell_val_new_v128", None, [POINTER(c_uint8), POINTER(wasm_val_t)])
stepwell_val_v128 = function("stepwell_val_v128", POINTER(c_uint8), [POINTER(wasm_val_t)])
stepwell_error_delete = function("stepwell_error_delete", None, [POINTER(stepwell_error_t)])
stepwell_error_code = function("stepwell_error_code", stepwell_error_code_t, [POINTER(stepwell_error_t)])
stepwell_error_message = function("stepwell_error_message", c_char_p, [POINTER(stepwell_error_t)])
stepwell_error_offset = function("stepwell_error_offset", c_bool, [POINTER(stepwell_error_t), POINTER(c_size_t)])
stepwell_error_exit_status = function("stepwell_error_exit_status", c_bool, [POINTER(stepwell_error_t), POINTER(c_int32)])
stepwell_last_error = function("stepwell_last_error", POINTER(stepwell_error_t), [])
stepwell_last_error_clear = function("stepwell_last_error_clear", None, [])
stepwell_config_check_handles_set = function("stepwell_config_check_handles_set", None, [POINTER(wasm_config_t), c_bool])
stepwell_config_debug_set = function("stepwell_config_debug_set", None, [POINTER(wasm_config_t), c_bool])
stepwell_config_debug_eagerly_set = function("stepwell_config_debug_eagerly_set", None, [POINTER(wasm_config_t), c_bool])
stepwell_config_debug_tier_set = function("stepwell_config_debug_tier_set", POINTER(stepwell_error_t), [POINTER(wasm_config_t), stepwell_debug_tier_t])
stepwell_config_rerun_cache_set = function("stepwell_config_rerun_cache_set", None, [POINTER(wasm_config_t), c_size_t])
stepwell_config_nan_canonicalization_set = function("stepwell_config_nan_canonicalization_set", None, [POINTER(wasm_config_t), c_bool])
stepwell_config_relaxed_simd_deterministic_set = function("stepwell_config_relaxed_simd_deterministic_set", None, [POINTER(wasm_config_t), c_bool])
stepwell_config_fuel_set = function("stepwell_config_fuel_set", None, [POINTER(wasm_config_t), c_bool])
stepwell_config_epoch_set = function("stepwell_config_epoch_set", None, [POINTER(wasm_config_t), c_bool])
stepwell_config_feature_set = function("stepwell_config_feature_set", POINTER(stepwell_error_t), [POINTER(wasm_config_t), stepwell_feature_t, c_bool])
stepwell_config_signals_set = function("stepwell_config_signals_set", None, [POINTER(wasm_config_t), c_bool])
stepwell_config_memory_reservation_set = function("stepwell_config_memory_reservation_set", None, [POINTER(wasm_config_t), c_uint64])
stepwell_config_memory_guard_set = function("stepwell_config_memory_guard_set", None, [POINTER(wasm_config_t), c_uint64])
stepwell_config_memory_images_set = function("stepwell_config_memory_images_set", None, [POINTER(wasm_config_t), c_bool])
stepwell_config_kept_memories_set = function("stepwell_config_kept_memories_set", None, [POINTER(wasm_config_t), c_size_t])
stepwell_config_max_stack_set = function("stepwell_config_max_stack_set", None, [POINTER(wasm_config_t), c_size_t])
stepwell_config_stop_reserve_set = function("stepwell_config_stop_reserve_set", None, [POINTER(wasm_config_t), c_size_t])
stepwell_config_parallel_set = function("stepwell_config_parallel_set", None, [POINTER(wasm_config_t), c_bool])
stepwell_config_optimize_set = function("stepwell_config_optimize_set", None, [POINTER(wasm_config_t), c_bool])
stepwell_config_copied_code_set = function("stepwell_config_copied_code_set", None, [POINTER(wasm_config_t), c_bool])
stepwell_config_profiler_set = function("stepwell_config_profiler_set", POINTER(stepwell_error_t), [POINTER(wasm_config_t), stepwell_profiler_t])
stepwell_config_native_debug_info_set = function("stepwell_config_native_debug_info_set", None, [POINTER(wasm_config_t), c_bool])
stepwell_engine_new = function("stepwell_engine_new", POINTER(stepwell_error_t), [POINTER(wasm_config_t), POINTER(POINTER(wasm_engine_t))])
stepwell_engine_trim = function("stepwell_engine_trim", None, [POINTER(wasm_engine_t)])
stepwell_signal_handlers_renew = function("stepwell_signal_handlers_renew", POINTER(stepwell_error_t), [])
stepwell_config_log_set = function("stepwell_config_log_set", POINTER(stepwell_error_t), [POINTER(wasm_config_t), stepwell_log_level_t, stepwell_log_callback_t, c_void_p, stepwell_finalizer_t])
stepwell_engine_fallbacks = function("stepwell_engine_fallbacks", c_uint32, [POINTER(wasm_engine_t)])
stepwell_engine_epoch_increment = function("stepwell_engine_epoch_increment", None, [POINTER(wasm_engine_t)])
stepwell_store_limits_set = function("stepwell_store_limits_set", POINTER(stepwell_error_t), [POINTER(wasm_store_t), c_uint64, c_uint64, c_size_t])
stepwell_store_same = function("stepwell_store_same", c_bool, [POINTER(wasm_store_t), POINTER(wasm_store_t)])
stepwell_store_is_poisoned = function("stepwell_store_is_poisoned", c_bool, [POINTER(wasm_store_t)])
stepwell_stack_new = function("stepwell_stack_new", POINTER(stepwell_error_t), [c_void_p, c_size_t, POINTER(POINTER(stepwell_stack_t))])
stepwell_stack_delete = function("stepwell_stack_delete", None, [POINTER(stepwell_stack_t)])
stepwell_thread_stack_set = function("stepwell_thread_stack_set", POINTER(stepwell_error_t), [POINTER(stepwell_stack_t)])
stepwell_store_fuel_set = function("stepwell_store_fuel_set", POINTER(stepwell_error_t), [POINTER(wasm_store_t), c_uint64])
stepwell_store_fuel_get = function("stepwell_store_fuel_get", POINTER(stepwell_error_t), [POINTER(wasm_store_t), POINTER(c_uint64)])
stepwell_store_epoch_deadline_set = function("stepwell_store_epoch_deadline_set", POINTER(stepwell_error_t), [POINTER(wasm_store_t), c_uint64])
stepwell_interrupt_new = function("stepwell_interrupt_new", POINTER(stepwell_error_t), [POINTER(wasm_store_t), POINTER(POINTER(stepwell_interrupt_t))])
stepwell_interrupt_delete = function("stepwell_interrupt_delete", None, [POINTER(stepwell_interrupt_t)])
stepwell_interrupt_raise = function("stepwell_interrupt_raise", None, [POINTER(stepwell_interrupt_t)])
stepwell_interrupt_ask = function("stepwell_interrupt_ask", None, [POINTER(stepwell_interrupt_t)])
stepwell_store_ask_set = function("stepwell_store_ask_set", POINTER(stepwell_error_t), [POINTER(wasm_store_t), stepwell_ask_callback_t, c_void_p, stepwell_finalizer_t])
stepwell_store_interrupt_clear = function("stepwell_store_interrupt_clear", None, [POINTER(wasm_store_t)])
stepwell_store_collect = function("stepwell_store_collect", POINTER(stepwell_error_t), [POINTER(wasm_store_t)])
stepwell_store_object_count = function("stepwell_store_object_count", c_size_t, [POINTER(wasm_store_t)])
stepwell_module_new = function("stepwell_module_new", POINTER(stepwell_error_t), [POINTER(wasm_store_t), POINTER(wasm_byte_vec_t), POINTER(POINTER(wasm_module_t))])
stepwell_shared_module_new = function("stepwell_shared_module_new", POINTER(stepwell_error_t), [POINTER(wasm_engine_t), POINTER(wasm_byte_vec_t), POINTER(POINTER(wasm_shared_module_t))])
stepwell_module_compile_debug = function("stepwell_module_compile_debug", POINTER(stepwell_error_t), [POINTER(wasm_module_t), stepwell_progress_callback_t, c_void_p])
stepwell_shared_module_compile_debug = function("stepwell_shared_module_compile_debug", POINTER(stepwell_error_t), [POINTER(wasm_shared_module_t), stepwell_progress_callback_t, c_void_p])
stepwell_module_imports_read = function("stepwell_module_imports_read", POINTER(stepwell_error_t), [POINTER(wasm_engine_t), POINTER(wasm_byte_vec_t), POINTER(wasm_importtype_vec_t)])
stepwell_module_name = function("stepwell_module_name", POINTER(c_char), [POINTER(wasm_module_t), POINTER(c_size_t)])
stepwell_module_func_count = function("stepwell_module_func_count", c_uint32, [POINTER(wasm_module_t)])
stepwell_module_func_name = function("stepwell_module_func_name", POINTER(c_char), [POINTER(wasm_module_t), c_uint32, POINTER(c_size_t)])
stepwell_module_func_find = function("stepwell_module_func_find", c_bool, [POINTER(wasm_module_t), c_char_p, POINTER(c_uint32)])
stepwell_module_source_count = function("stepwell_module_source_count", c_size_t, [POINTER(wasm_module_t), c_size_t])
stepwell_module_source = function("stepwell_module_source", c_bool, [POINTER(wasm_module_t), c_size_t, c_size_t, POINTER(stepwell_source_t)])
stepwell_module_source_line = function("stepwell_module_source_line", c_uint32, [POINTER(wasm_module_t), c_char_p, c_uint32])
stepwell_module_source_find = function("stepwell_module_source_find", c_bool, [POINTER(wasm_module_t), c_char_p, c_uint32, c_size_t, POINTER(c_size_t)])
stepwell_module_split_dwarf_add = function("stepwell_module_split_dwarf_add", POINTER(stepwell_error_t), [POINTER(wasm_module_t), POINTER(wasm_byte_vec_t)])
stepwell_module_split_dwarf_missing = function("stepwell_module_split_dwarf_missing", c_size_t, [POINTER(wasm_module_t)])
stepwell_module_split_dwarf_missing_name = function("stepwell_module_split_dwarf_missing_name", POINTER(c_char), [POINTER(wasm_module_t), c_size_t, POINTER(c_size_t)])
stepwell_module_serialize = function("stepwell_module_serialize", POINTER(stepwell_error_t), [POINTER(wasm_module_t), POINTER(wasm_byte_vec_t)])
stepwell_module_serialize_file = function("stepwell_module_serialize_file", POINTER(stepwell_error_t), [POINTER(wasm_module_t), c_char_p])
stepwell_module_deserialize = function("stepwell_module_deserialize", POINTER(stepwell_error_t), [POINTER(wasm_store_t), POINTER(wasm_byte_vec_t), POINTER(POINTER(wasm_module_t))])
stepwell_module_deserialize_file = function("stepwell_module_deserialize_file", POINTER(stepwell_error_t), [POINTER(wasm_store_t), c_char_p, POINTER(POINTER(wasm_module_t))])
stepwell_shared_module_serialize = function("stepwell_shared_module_serialize", POINTER(stepwell_error_t), [POINTER(wasm_shared_module_t), POINTER(wasm_byte_vec_t)])
stepwell_shared_module_serialize_file = function("stepwell_shared_module_serialize_file", POINTER(stepwell_error_t), [POINTER(wasm_shared_module_t), c_char_p])
stepwell_shared_module_deserialize = function("stepwell_shared_module_deserialize", POINTER(stepwell_error_t), [POINTER(wasm_engine_t), POINTER(wasm_byte_vec_t), POINTER(POINTER(wasm_shared_module_t))])
stepwell_shared_module_deserialize_file = function("stepwell_shared_module_deserialize_file", POINTER(stepwell_error_t), [POINTER(wasm_engine_t), c_char_p, POINTER(POINTER(wasm_shared_module_t))])
stepwell_module_custom_section_count = function("stepwell_module_custom_section_count", c_size_t, [POINTER(wasm_module_t)])
stepwell_module_custom_section_name = function("stepwell_module_custom_section_name", POINTER(c_char), [POINTER(wasm_module_t), c_size_t, POINTER(c_size_t)])
stepwell_module_custom_section_data = function("stepwell_module_custom_section_data", POINTER(c_char), [POINTER(wasm_module_t), c_size_t, POINTER(c_size_t)])
stepwell_module_custom_section_find = function("stepwell_module_custom_section_find", c_bool, [POINTER(wasm_module_t), c_char_p, c_size_t, POINTER(c_size_t)])
stepwell_module_import_count = function("stepwell_module_import_count", c_size_t, [POINTER(wasm_module_t)])
stepwell_module_export_count = function("stepwell_module_export_count", c_size_t, [POINTER(wasm_module_t)])
stepwell_module_has_start = function("stepwell_module_has_start", c_bool, [POINTER(wasm_module_t)])
stepwell_module_text_size = function("stepwell_module_text_size", c_size_t, [POINTER(wasm_module_t)])
stepwell_module_debug_text_size = function("stepwell_module_debug_text_size", c_size_t, [POINTER(wasm_module_t)])
stepwell_module_local_name = function("stepwell_module_local_name", POINTER(c_char), [POINTER(wasm_module_t), c_uint32, c_uint32, POINTER(c_size_t)])
stepwell_module_global_name = function("stepwell_module_global_name", POINTER(c_char), [POINTER(wasm_module_t), c_uint32, POINTER(c_size_t)])
stepwell_module_table_name = function("stepwell_module_table_name", POINTER(c_char), [POINTER(wasm_module_t), c_uint32, POINTER(c_size_t)])
stepwell_module_memory_name = function("stepwell_module_memory_name", POINTER(c_char), [POINTER(wasm_module_t), c_uint32, POINTER(c_size_t)])
stepwell_module_data_name = function("stepwell_module_data_name", POINTER(c_char), [POINTER(wasm_module_t), c_uint32, POINTER(c_size_t)])
stepwell_module_elem_name = function("stepwell_module_elem_name", POINTER(c_char), [POINTER(wasm_module_t), c_uint32, POINTER(c_size_t)])
stepwell_trap_frame_func_name = function("stepwell_trap_frame_func_name", POINTER(c_char), [POINTER(wasm_frame_t), POINTER(c_size_t)])
stepwell_trap_frame_module_name = function("stepwell_trap_frame_module_name", POINTER(c_char), [POINTER(wasm_frame_t), POINTER(c_size_t)])
stepwell_trap_frame_source_count = function("stepwell_trap_frame_source_count", c_size_t, [POINTER(wasm_frame_t)])
stepwell_trap_frame_source = function("stepwell_trap_frame_source", c_bool, [POINTER(wasm_frame_t), c_size_t, POINTER(stepwell_source_t)])
stepwell_name_to_show = function("stepwell_name_to_show", c_size_t, [c_char_p, c_size_t, c_char_p, c_size_t])
stepwell_trap_code = function("stepwell_trap_code", stepwell_trap_code_t, [POINTER(wasm_trap_t)])
stepwell_trap_exit_status = function("stepwell_trap_exit_status", c_bool, [POINTER(wasm_trap_t), POINTER(c_int32)])
stepwell_trap_message = function("stepwell_trap_message", c_char_p, [POINTER(wasm_trap_t)])
stepwell_trap_backtrace = function("stepwell_trap_backtrace", c_char_p, [POINTER(wasm_trap_t)])
stepwell_func_call = function("stepwell_func_call", POINTER(stepwell_error_t), [POINTER(wasm_func_t), POINTER(wasm_val_vec_t), POINTER(wasm_val_vec_t), POINTER(POINTER(wasm_trap_t))])
stepwell_func_new = function("stepwell_func_new", POINTER(stepwell_error_t), [POINTER(wasm_store_t), POINTER(wasm_functype_t), stepwell_func_callback_t, c_void_p, stepwell_finalizer_t, POINTER(POINTER(wasm_func_t))])
stepwell_caller_store = function("stepwell_caller_store", POINTER(wasm_store_t), [POINTER(stepwell_caller_t)])
stepwell_caller_instance = function("stepwell_caller_instance", POINTER(wasm_instance_t), [POINTER(stepwell_caller_t)])
stepwell_caller_export = function("stepwell_caller_export", POINTER(wasm_extern_t), [POINTER(stepwell_caller_t), c_char_p])
stepwell_typed_func_new = function("stepwell_typed_func_new", POINTER(stepwell_error_t), [POINTER(wasm_func_t), POINTER(wasm_functype_t), POINTER(POINTER(stepwell_typed_func_t))])
stepwell_typed_func_delete = function("stepwell_typed_func_delete", None, [POINTER(stepwell_typed_func_t)])
stepwell_typed_func_call = function("stepwell_typed_func_call", POINTER(stepwell_error_t), [POINTER(stepwell_typed_func_t), POINTER(stepwell_raw_val_t), c_size_t, POINTER(POINTER(wasm_trap_t))])
stepwell_func_new_unchecked = function("stepwell_func_new_unchecked", POINTER(stepwell_error_t), [POINTER(wasm_store_t), POINTER(wasm_functype_t), stepwell_func_unchecked_callback_t, c_void_p, stepwell_finalizer_t, POINTER(POINTER(wasm_func_t))])
stepwell_tabletype_new = function("stepwell_tabletype_new", POINTER(wasm_tabletype_t), [POINTER(wasm_valtype_t), c_uint64, c_bool, c_uint64, c_bool])
stepwell_tabletype_min = function("stepwell_tabletype_min", c_uint64, [POINTER(wasm_tabletype_t)])
stepwell_tabletype_max = function("stepwell_tabletype_max", c_bool, [POINTER(wasm_tabletype_t), POINTER(c_uint64)])
stepwell_tabletype_is_64 = function("stepwell_tabletype_is_64", c_bool, [POINTER(wasm_tabletype_t)])
stepwell_memorytype_new = function("stepwell_memorytype_new", POINTER(wasm_memorytype_t), [c_uint64, c_bool, c_uint64, c_bool, c_uint32])
stepwell_memorytype_min = function("stepwell_memorytype_min", c_uint64, [POINTER(wasm_memorytype_t)])
stepwell_memorytype_max = function("stepwell_memorytype_max", c_bool, [POINTER(wasm_memorytype_t), POINTER(c_uint64)])
stepwell_memorytype_is_64 = function("stepwell_memorytype_is_64", c_bool, [POINTER(wasm_memorytype_t)])
stepwell_memorytype_page_size_log2 = function("stepwell_memorytype_page_size_log2", c_uint32, [POINTER(wasm_memorytype_t)])
stepwell_ref_hash = function("stepwell_ref_hash", c_uint64, [POINTER(wasm_ref_t)])
stepwell_memory_is_fixed = function("stepwell_memory_is_fixed", c_bool, [POINTER(wasm_memory_t)])
stepwell_memory_size = function("stepwell_memory_size", c_uint64, [POINTER(wasm_memory_t)])
stepwell_memory_grow = function("stepwell_memory_grow", POINTER(stepwell_error_t), [POINTER(wasm_memory_t), c_uint64, POINTER(c_uint64)])
stepwell_instance_new = function("stepwell_instance_new", POINTER(stepwell_error_t), [POINTER(wasm_store_t), POINTER(wasm_module_t), POINTER(wasm_extern_vec_t), POINTER(POINTER(wasm_instance_t)), POINTER(POINTER(wasm_trap_t))])
stepwell_instance_export = function("stepwell_instance_export", POINTER(wasm_extern_t), [POINTER(wasm_instance_t), c_char_p])
stepwell_instance_module = function("stepwell_instance_module", POINTER(wasm_module_t), [POINTER(wasm_instance_t)])
stepwell_instance_func = function("stepwell_instance_func", POINTER(wasm_func_t), [POINTER(wasm_instance_t), c_uint32])
stepwell_instance_global = function("stepwell_instance_global", POINTER(wasm_global_t), [POINTER(wasm_instance_t), c_uint32])
stepwell_instance_memory = function("stepwell_instance_memory", POINTER(wasm_memory_t), [POINTER(wasm_instance_t), c_uint32])
stepwell_instance_table = function("stepwell_instance_table", POINTER(wasm_table_t), [POINTER(wasm_instance_t), c_uint32])
stepwell_tag_new = function("stepwell_tag_new", POINTER(stepwell_tag_t), [POINTER(wasm_store_t), POINTER(wasm_tagtype_t)])
stepwell_tag_delete = function("stepwell_tag_delete", None, [POINTER(stepwell_tag_t)])
stepwell_tag_copy = function("stepwell_tag_copy", POINTER(stepwell_tag_t), [POINTER(stepwell_tag_t)])
stepwell_tag_same = function("stepwell_tag_same", c_bool, [POINTER(stepwell_tag_t), POINTER(stepwell_tag_t)])
stepwell_tag_type = function("stepwell_tag_type", POINTER(wasm_tagtype_t), [POINTER(stepwell_tag_t)])
stepwell_tag_as_extern = function("stepwell_tag_as_extern", POINTER(wasm_extern_t), [POINTER(stepwell_tag_t)])
stepwell_extern_as_tag = function("stepwell_extern_as_tag", POINTER(stepwell_tag_t), [POINTER(wasm_extern_t)])
stepwell_exception_new = function("stepwell_exception_new", POINTER(stepwell_error_t), [POINTER(stepwell_tag_t), POINTER(wasm_val_vec_t), POINTER(POINTER(stepwell_exception_t))])
stepwell_exception_delete = function("stepwell_exception_delete", None, [POINTER(stepwell_exception_t)])
stepwell_exception_copy = function("stepwell_exception_copy", POINTER(stepwell_exception_t), [POINTER(stepwell_exception_t)])
stepwell_exception_tag = function("stepwell_exception_tag", POINTER(stepwell_tag_t), [POINTER(stepwell_exception_t)])
stepwell_exception_values = function("stepwell_exception_values", POINTER(stepwell_error_t), [POINTER(stepwell_exception_t), POINTER(wasm_val_vec_t)])
stepwell_exception_throw = function("stepwell_exception_throw", POINTER(wasm_trap_t), [POINTER(stepwell_exception_t)])
stepwell_trap_exception = function("stepwell_trap_exception", POINTER(stepwell_exception_t), [POINTER(wasm_trap_t)])
stepwell_exception_as_ref = function("stepwell_exception_as_ref", POINTER(wasm_ref_t), [POINTER(stepwell_exception_t)])
stepwell_ref_as_exception = function("stepwell_ref_as_exception", POINTER(stepwell_exception_t), [POINTER(wasm_ref_t)])
stepwell_linker_define_caller_func = function("stepwell_linker_define_caller_func", POINTER(stepwell_error_t), [POINTER(stepwell_linker_t), c_char_p, c_char_p, POINTER(wasm_functype_t), stepwell_func_callback_t, c_void_p, stepwell_finalizer_t])
stepwell_linker_define_func_unchecked = function("stepwell_linker_define_func_unchecked", POINTER(stepwell_error_t), [POINTER(stepwell_linker_t), c_char_p, c_char_p, POINTER(wasm_functype_t), stepwell_func_unchecked_callback_t, c_void_p, stepwell_finalizer_t])
stepwell_linker_new = function("stepwell_linker_new", POINTER(stepwell_linker_t), [POINTER(wasm_engine_t)])
stepwell_linker_delete = function("stepwell_linker_delete", None, [POINTER(stepwell_linker_t)])
stepwell_linker_shadowing_set = function("stepwell_linker_shadowing_set", POINTER(stepwell_error_t), [POINTER(stepwell_linker_t), c_bool])
stepwell_linker_define = function("stepwell_linker_define", POINTER(stepwell_error_t), [POINTER(stepwell_linker_t), c_char_p, c_char_p, POINTER(wasm_extern_t)])
stepwell_linker_define_func = function("stepwell_linker_define_func", POINTER(stepwell_error_t), [POINTER(stepwell_linker_t), c_char_p, c_char_p, POINTER(wasm_functype_t), wasm_func_callback_with_env_t, c_void_p, stepwell_finalizer_t])
stepwell_linker_define_instance = function("stepwell_linker_define_instance", POINTER(stepwell_error_t), [POINTER(stepwell_linker_t), c_char_p, POINTER(wasm_instance_t)])
stepwell_linker_get = function("stepwell_linker_get", POINTER(wasm_extern_t), [POINTER(stepwell_linker_t), POINTER(wasm_store_t), c_char_p, c_char_p])
stepwell_linker_fill_missing_with_defaults = function("stepwell_linker_fill_missing_with_defaults", POINTER(stepwell_error_t), [POINTER(stepwell_linker_t), POINTER(wasm_store_t), POINTER(wasm_module_t)])
stepwell_linker_instantiate = function("stepwell_linker_instantiate", POINTER(stepwell_error_t), [POINTER(stepwell_linker_t), POINTER(wasm_store_t), POINTER(wasm_module_t), POINTER(POINTER(wasm_instance_t)), POINTER(POINTER(wasm_trap_t))])
stepwell_linker_instantiate_pre = function("stepwell_linker_instantiate_pre", POINTER(stepwell_error_t), [POINTER(stepwell_linker_t), POINTER(wasm_module_t), POINTER(POINTER(stepwell_instance_pre_t))])
stepwell_instance_pre_instantiate = function("stepwell_instance_pre_instantiate", POINTER(stepwell_error_t), [POINTER(stepwell_instance_pre_t), POINTER(wasm_store_t), POINTER(POINTER(wasm_instance_t)), POINTER(POINTER(wasm_trap_t))])
stepwell_instance_pre_delete = function("stepwell_instance_pre_delete", None, [POINTER(stepwell_instance_pre_t)])
stepwell_wasi_buffer_new = function("stepwell_wasi_buffer_new", POINTER(stepwell_wasi_buffer_t), [c_size_t])
stepwell_wasi_buffer_delete = function("stepwell_wasi_buffer_delete", None, [POINTER(stepwell_wasi_buffer_t)])
stepwell_wasi_buffer_size = function("stepwell_wasi_buffer_size", c_size_t, [POINTER(stepwell_wasi_buffer_t)])
stepwell_wasi_buffer_read = function("stepwell_wasi_buffer_read", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_buffer_t), c_bool, POINTER(wasm_byte_vec_t)])
stepwell_wasi_config_new = function("stepwell_wasi_config_new", POINTER(stepwell_wasi_config_t), [])
stepwell_wasi_config_delete = function("stepwell_wasi_config_delete", None, [POINTER(stepwell_wasi_config_t)])
stepwell_wasi_config_args_set = function("stepwell_wasi_config_args_set", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_config_t), c_size_t, POINTER(c_char_p)])
stepwell_wasi_config_env_set = function("stepwell_wasi_config_env_set", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_config_t), c_size_t, POINTER(c_char_p), POINTER(c_char_p)])
stepwell_wasi_config_env_inherit = function("stepwell_wasi_config_env_inherit", None, [POINTER(stepwell_wasi_config_t)])
stepwell_wasi_config_stdin_inherit = function("stepwell_wasi_config_stdin_inherit", None, [POINTER(stepwell_wasi_config_t)])
stepwell_wasi_config_stdin_bytes_set = function("stepwell_wasi_config_stdin_bytes_set", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_config_t), POINTER(wasm_byte_vec_t)])
stepwell_wasi_config_stdin_callback_set = function("stepwell_wasi_config_stdin_callback_set", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_config_t), stepwell_wasi_input_callback_t, c_void_p, stepwell_finalizer_t])
stepwell_wasi_config_stdin_file_set = function("stepwell_wasi_config_stdin_file_set", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_config_t), c_char_p])
stepwell_wasi_config_stdout_inherit = function("stepwell_wasi_config_stdout_inherit", None, [POINTER(stepwell_wasi_config_t)])
stepwell_wasi_config_stderr_inherit = function("stepwell_wasi_config_stderr_inherit", None, [POINTER(stepwell_wasi_config_t)])
stepwell_wasi_config_stdout_callback_set = function("stepwell_wasi_config_stdout_callback_set", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_config_t), stepwell_wasi_output_callback_t, c_void_p, stepwell_finalizer_t])
stepwell_wasi_config_stderr_callback_set = function("stepwell_wasi_config_stderr_callback_set", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_config_t), stepwell_wasi_output_callback_t, c_void_p, stepwell_finalizer_t])
stepwell_wasi_config_stdout_buffer_set = function("stepwell_wasi_config_stdout_buffer_set", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_config_t), POINTER(stepwell_wasi_buffer_t)])
stepwell_wasi_config_stderr_buffer_set = function("stepwell_wasi_config_stderr_buffer_set", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_config_t), POINTER(stepwell_wasi_buffer_t)])
stepwell_wasi_config_stdout_file_set = function("stepwell_wasi_config_stdout_file_set", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_config_t), c_char_p, c_bool])
stepwell_wasi_config_stderr_file_set = function("stepwell_wasi_config_stderr_file_set", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_config_t), c_char_p, c_bool])
stepwell_wasi_config_max_descriptors_set = function("stepwell_wasi_config_max_descriptors_set", None, [POINTER(stepwell_wasi_config_t), c_uint32])
stepwell_wasi_config_preopen_dir = function("stepwell_wasi_config_preopen_dir", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_config_t), c_char_p, c_char_p, c_bool])
stepwell_linker_define_wasi = function("stepwell_linker_define_wasi", POINTER(stepwell_error_t), [POINTER(stepwell_linker_t), POINTER(wasm_store_t), POINTER(stepwell_wasi_config_t)])
stepwell_debugger_attach = function("stepwell_debugger_attach", POINTER(stepwell_error_t), [POINTER(wasm_store_t), stepwell_stop_callback_t, c_void_p, stepwell_finalizer_t, POINTER(POINTER(stepwell_debugger_t))])
stepwell_debugger_attach_with_progress = function("stepwell_debugger_attach_with_progress", POINTER(stepwell_error_t), [POINTER(wasm_store_t), stepwell_stop_callback_t, c_void_p, stepwell_finalizer_t, stepwell_progress_callback_t, c_void_p, POINTER(POINTER(stepwell_debugger_t))])
stepwell_debugger_delete = function("stepwell_debugger_delete", None, [POINTER(stepwell_debugger_t)])
stepwell_breakpoint_add = function("stepwell_breakpoint_add", POINTER(stepwell_error_t), [POINTER(stepwell_debugger_t), POINTER(wasm_module_t), c_size_t, POINTER(stepwell_breakpoint_t)])
stepwell_breakpoint_add_at_function = function("stepwell_breakpoint_add_at_function", POINTER(stepwell_error_t), [POINTER(stepwell_debugger_t), POINTER(wasm_module_t), c_char_p, POINTER(stepwell_breakpoint_t)])
stepwell_breakpoint_add_at_function_index = function("stepwell_breakpoint_add_at_function_index", POINTER(stepwell_error_t), [POINTER(stepwell_debugger_t), POINTER(wasm_module_t), c_uint32, POINTER(stepwell_breakpoint_t)])
stepwell_breakpoint_remove = function("stepwell_breakpoint_remove", POINTER(stepwell_error_t), [POINTER(stepwell_debugger_t), stepwell_breakpoint_t])
stepwell_debugger_step_always_set = function("stepwell_debugger_step_always_set", POINTER(stepwell_error_t), [POINTER(stepwell_debugger_t), c_bool])
stepwell_debugger_breakpoint_count = function("stepwell_debugger_breakpoint_count", c_size_t, [POINTER(stepwell_debugger_t)])
stepwell_breakpoint_offset = function("stepwell_breakpoint_offset", c_size_t, [POINTER(stepwell_debugger_t), stepwell_breakpoint_t])
stepwell_breakpoint_func_index = function("stepwell_breakpoint_func_index", c_uint32, [POINTER(stepwell_debugger_t), stepwell_breakpoint_t])
stepwell_breakpoint_source = function("stepwell_breakpoint_source", c_bool, [POINTER(stepwell_debugger_t), stepwell_breakpoint_t, c_size_t, POINTER(stepwell_source_t)])
stepwell_stop_reason = function("stepwell_stop_reason", stepwell_stop_reason_t, [POINTER(stepwell_stop_t)])
stepwell_stop_frame_count = function("stepwell_stop_frame_count", c_size_t, [POINTER(stepwell_stop_t)])
stepwell_stop_frame = function("stepwell_stop_frame", POINTER(stepwell_frame_t), [POINTER(stepwell_stop_t), c_size_t])
stepwell_stop_breakpoint_count = function("stepwell_stop_breakpoint_count", c_size_t, [POINTER(stepwell_stop_t)])
stepwell_stop_breakpoint = function("stepwell_stop_breakpoint", stepwell_breakpoint_t, [POINTER(stepwell_stop_t), c_size_t])
stepwell_stop_trap_code = function("stepwell_stop_trap_code", stepwell_trap_code_t, [POINTER(stepwell_stop_t)])
stepwell_stop_trap_message = function("stepwell_stop_trap_message", c_char_p, [POINTER(stepwell_stop_t)])
stepwell_stop_message_set = function("stepwell_stop_message_set", c_bool, [POINTER(stepwell_stop_t), c_char_p])
stepwell_stop_store = function("stepwell_stop_store", POINTER(wasm_store_t), [POINTER(stepwell_stop_t)])
stepwell_stop_debugger = function("stepwell_stop_debugger", POINTER(stepwell_debugger_t), [POINTER(stepwell_stop_t)])
stepwell_frame_func_index = function("stepwell_frame_func_index", c_uint32, [POINTER(stepwell_frame_t)])
stepwell_frame_func_name = function("stepwell_frame_func_name", POINTER(c_char), [POINTER(stepwell_frame_t), POINTER(c_size_t)])
stepwell_frame_offset = function("stepwell_frame_offset", c_size_t, [POINTER(stepwell_frame_t)])
stepwell_frame_id = function("stepwell_frame_id", c_size_t, [POINTER(stepwell_frame_t)])
stepwell_frame_called_through_host = function("stepwell_frame_called_through_host", c_bool, [POINTER(stepwell_frame_t)])
stepwell_frame_module = function("stepwell_frame_module", POINTER(wasm_module_t), [POINTER(stepwell_frame_t)])
stepwell_frame_instance = function("stepwell_frame_instance", POINTER(wasm_instance_t), [POINTER(stepwell_frame_t)])
stepwell_frame_source_count = function("stepwell_frame_source_count", c_size_t, [POINTER(stepwell_frame_t)])
stepwell_frame_source = function("stepwell_frame_source", c_bool, [POINTER(stepwell_frame_t), c_size_t, POINTER(stepwell_source_t)])
stepwell_frame_local_count = function("stepwell_frame_local_count", c_size_t, [POINTER(stepwell_frame_t)])
stepwell_frame_local = function("stepwell_frame_local", c_bool, [POINTER(stepwell_frame_t), c_size_t, POINTER(wasm_val_t)])
stepwell_frame_locals = function("stepwell_frame_locals", c_size_t, [POINTER(stepwell_frame_t), POINTER(wasm_val_t), c_size_t])
stepwell_frame_local_name = function("stepwell_frame_local_name", POINTER(c_char), [POINTER(stepwell_frame_t), c_size_t, POINTER(c_size_t)])
stepwell_frame_operand_count = function("stepwell_frame_operand_count", c_size_t, [POINTER(stepwell_frame_t)])
stepwell_frame_operands = function("stepwell_frame_operands", c_size_t, [POINTER(stepwell_frame_t), POINTER(wasm_val_t), c_size_t])
stepwell_guarded_func_new = function("stepwell_guarded_func_new", POINTER(stepwell_error_t), [POINTER(wasm_store_t), POINTER(wasm_functype_t), stepwell_guarded_func_callback_t, c_void_p, stepwell_finalizer_t, POINTER(POINTER(wasm_func_t))])
stepwell_linker_define_guarded_func = function("stepwell_linker_define_guarded_func", POINTER(stepwell_error_t), [POINTER(stepwell_linker_t), c_char_p, c_char_p, POINTER(wasm_functype_t), stepwell_guarded_func_callback_t, c_void_p, stepwell_finalizer_t])
stepwell_debugger_attach_guarded = function("stepwell_debugger_attach_guarded", POINTER(stepwell_error_t), [POINTER(wasm_store_t), stepwell_guarded_stop_callback_t, c_void_p, stepwell_finalizer_t, stepwell_guarded_progress_callback_t, c_void_p, POINTER(POINTER(stepwell_debugger_t))])
stepwell_wasi_config_stdin_guarded_set = function("stepwell_wasi_config_stdin_guarded_set", POINTER(stepwell_error_t), [POINTER(stepwell_wasi_config_t), stepwell_guarded_input_callback_t, c_void_p, stepwell_finalizer_t])
stepwell_shared_module_compile_debug_guarded = function("stepwell_shared_module_compile_debug_guarded", POINTER(stepwell_error_t), [POINTER(wasm_shared_module_t), stepwell_guarded_progress_callback_t, c_void_p])
stepwell_guarded_callbacks_end = function("stepwell_guarded_callbacks_end", None, [stepwell_finalizer_t])
