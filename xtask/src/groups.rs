//! Which header of `include/stepwell/` has what: a header per group of nouns, and `include/stepwell.h`, which includes
//! all of them.

/// A header of `include/stepwell/`.
pub struct Group {
    /// Its name, without the ending.
    pub name: &'static str,
    /// What is in it, as its head and the list in `stepwell.h` say.
    pub about: &'static str,
    /// What it includes.
    pub needs: &'static [&'static str],
    /// The files of `src/capi` whose items are in it, unless `items` of another group has them.
    pub files: &'static [&'static str],
    /// Items of other files: opaque types, which all stand in one, and functions that two nouns share.
    pub items: &'static [&'static str],
}

/// In the order in which `stepwell.h` includes them: each behind what it needs.
pub const GROUPS: &[Group] = &[
    Group {
        name: "base",
        about: "version, macros, and what all callbacks have",
        needs: &["../wasm"],
        files: &["plumbing/env", "version", "outcome"],
        items: &[],
    },
    Group {
        name: "value",
        about: "values of types that wasm.h has no word for",
        needs: &["base"],
        files: &["valtype", "v128"],
        items: &["stepwell_valtype_new_func_ref", "stepwell_valtype_functype"],
    },
    Group {
        name: "error",
        about: "errors, with code, message and place",
        needs: &["base"],
        files: &["error"],
        items: &["stepwell_error_t"],
    },
    Group {
        name: "engine",
        about: "how an engine is made, and what it does and tells",
        needs: &["error"],
        files: &["config", "profile", "engine", "log"],
        items: &["stepwell_engine_epoch_increment"],
    },
    Group {
        name: "store",
        about: "stores: limits, fuel, deadlines, interrupts, collection; the host's own stacks",
        needs: &["error"],
        files: &["store", "thread", "limits", "collect"],
        items: &["stepwell_stack_t", "stepwell_interrupt_t", "stepwell_store_core_dumps_set"],
    },
    Group {
        name: "module",
        about: "modules: from text, compiling, saving, names, custom sections, places in the source, functions, instructions",
        needs: &["error"],
        files: &[
            "progress",
            "module",
            "source",
            "module_source",
            "module_function",
            "module_serialize",
            "module_about",
            "wat",
        ],
        items: &[],
    },
    Group {
        name: "trap",
        about: "traps and their frames; names as people are to see them",
        needs: &["module"],
        files: &["frame", "trap"],
        items: &["stepwell_trap_core_dump"],
    },
    Group {
        name: "func",
        about: "functions: calls, typed calls, host functions that know their caller",
        needs: &["error"],
        files: &["func", "caller", "typed_func", "call"],
        items: &["stepwell_caller_t", "stepwell_typed_func_t", "stepwell_call_t"],
    },
    Group {
        name: "instance",
        about: "instances, and what is in them",
        needs: &["error"],
        files: &[
            "reference",
            "global",
            "table",
            "tabletype",
            "memory",
            "memorytype",
            "sharedmemory",
            "external",
            "instance",
        ],
        items: &["stepwell_sharedmemory_t"],
    },
    Group {
        name: "exception",
        about: "tags and exceptions: made, thrown, and what nobody has caught",
        needs: &["trap", "instance"],
        files: &["exception"],
        items: &["stepwell_tag_t", "stepwell_exception_t"],
    },
    Group {
        name: "object",
        about: "structures and arrays that are collected: types, made, looked into",
        needs: &["instance"],
        files: &["heap_object"],
        items: &[],
    },
    Group {
        name: "linker",
        about: "imports by name, looked up once or each time",
        needs: &["func"],
        files: &["linker", "instance_pre"],
        items: &[
            "stepwell_linker_t",
            "stepwell_instance_pre_t",
            "stepwell_linker_define_caller_func",
            "stepwell_linker_define_func_unchecked",
        ],
    },
    Group {
        name: "wasi",
        about: "what a program gets of the host by WASI preview 1",
        needs: &["linker"],
        files: &["wasi"],
        items: &["stepwell_wasi_config_t", "stepwell_wasi_buffer_t"],
    },
    Group {
        name: "debugger",
        about: "debugging one store, while all others run at full speed: breakpoints, stops, frames, variables",
        needs: &["store", "module", "trap", "exception", "func"],
        files: &[
            "debugger",
            "breakpoint",
            "breakpoint_options",
            "breakpoint_set",
            "watchpoint",
            "pauser",
            "attacher",
            "stop",
            "stop_queue",
            "stop_frame",
            "stop_change",
            "stop_step",
            "stop_event",
            "stop_later",
            "core_dump",
            "coverage",
            "frame_variable",
            "variable",
        ],
        items: &[
            "stepwell_debugger_t",
            "stepwell_breakpoint_set_t",
            "stepwell_pauser_t",
            "stepwell_attacher_t",
            "stepwell_stop_queue_t",
            "stepwell_stop_t",
            "stepwell_frame_t",
            "stepwell_variable_t",
        ],
    },
    Group {
        name: "server",
        about: "serving a store to debuggers of other programs, such as LLDB",
        needs: &["debugger"],
        files: &["server"],
        items: &["stepwell_serve_options_t", "stepwell_server_t"],
    },
    Group {
        name: "guarded",
        about: "callbacks for languages whose exceptions may leave one at any point",
        needs: &["wasi", "debugger"],
        files: &["guarded"],
        items: &["stepwell_guarded_progress_callback_t"],
    },
];

/// The group that an item of a file is in.
pub fn group_of(item: &str, file: &str) -> Option<&'static Group> {
    let claims = |group: &&Group| group.items.contains(&item);
    GROUPS.iter().find(claims).or_else(|| GROUPS.iter().find(|group| group.files.contains(&file)))
}
