/* Lua 5.1's C interface, as lupa's extension exports it, and the functions of ours that Lua calls.

   Lua reports an error by a long jump, which must not pass a frame that owns references to Python objects or that Cython
   has made. So whatever may raise one (all that allocates in Lua) is called from the functions here alone, which own
   nothing: what they hand to Lua is kept by the bridge until the next call. They run with the GIL held. */
#ifndef KEDIS_LUA_API_H
#define KEDIS_LUA_API_H

#include <Python.h>
#include <string.h>
#ifndef _WIN32
#include <dlfcn.h>
#endif

typedef struct lua_State lua_State;
typedef int (*lua_CFunction)(lua_State *);

enum { LUA_REGISTRY = -10000, LUA_UPVALUE_1 = -10003, LUA_MULTIPLE = -1, LUA_NO_REF = -2, LUA_GC_COUNT = 3 };
enum { LUA_T_NIL = 0, LUA_T_BOOLEAN = 1, LUA_T_NUMBER = 3, LUA_T_STRING = 4 };

static struct {
    int (*gettop)(lua_State *);
    void (*settop)(lua_State *, int);
    void (*pushvalue)(lua_State *, int);
    int (*type)(lua_State *, int);
    double (*tonumber)(lua_State *, int);
    int (*toboolean)(lua_State *, int);
    const char *(*tolstring)(lua_State *, int, size_t *);
    void *(*touserdata)(lua_State *, int);
    void (*pushnil)(lua_State *);
    void (*pushnumber)(lua_State *, double);
    void (*pushlstring)(lua_State *, const char *, size_t);
    void (*pushcclosure)(lua_State *, lua_CFunction, int);
    void (*pushboolean)(lua_State *, int);
    void (*pushlightuserdata)(lua_State *, void *);
    void (*rawget)(lua_State *, int);
    void (*rawgeti)(lua_State *, int, int);
    void (*createtable)(lua_State *, int, int);
    void (*setfield)(lua_State *, int, const char *);
    void (*rawseti)(lua_State *, int, int);
    void (*call)(lua_State *, int, int);
    int (*pcall)(lua_State *, int, int, int);
    int (*cpcall)(lua_State *, lua_CFunction, void *);
    int (*error)(lua_State *);
    int (*gc)(lua_State *, int, int);
    int (*ref)(lua_State *, int);
    void (*unref)(lua_State *, int, int);
} lua;

/* Find the functions in the shared object at `path`, which is loaded already. 0, or -1 where one is missing. */
static int find_lua(const char *path) {
#ifdef _WIN32
    return -1;
#else
    static const char *const names[] = {
        "lua_gettop", "lua_settop", "lua_pushvalue", "lua_type", "lua_tonumber", "lua_toboolean", "lua_tolstring",
        "lua_touserdata", "lua_pushnil", "lua_pushnumber", "lua_pushlstring", "lua_pushcclosure", "lua_pushboolean",
        "lua_pushlightuserdata", "lua_rawget", "lua_rawgeti", "lua_createtable", "lua_setfield", "lua_rawseti",
        "lua_call", "lua_pcall", "lua_cpcall", "lua_error", "lua_gc", "luaL_ref", "luaL_unref",
    };
    void **place = (void **)&lua;
    void *object = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
    if (object == NULL) return -1;
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        place[at] = dlsym(object, names[at]);
        if (place[at] == NULL) return -1;
    }
    return sizeof lua == sizeof names ? 0 : -1;
#endif
}

/* What a call of redis.call is answered with. */
enum Kind { K_NUMBER, K_BYTES, K_TRUE, K_FALSE, K_NIL, K_STATUS, K_ELEMENTS, K_CODED, K_ERROR, K_STOP };

/* Words that become a table of Lua: `count` items of a list or tuple, from `first` on. */
typedef struct {
    PyObject *items;
    Py_ssize_t first, count;
} Words;

typedef struct LuaBridge {
    void (*ask)(struct LuaBridge *, lua_State *); /* runs the command; raises nothing, neither here nor there */
    PyObject *owner; /* the object of Cython, which is not owned here */
    lua_State *main;
    int running; /* a script runs, with the GIL held */
    /* References, in Lua's registry, to functions and tables of redis.lua. */
    int handle_error, stop, build, finish, run_function, environment, scripts;
    /* The answer of the last call; `value` is kept until the next one. */
    enum Kind kind;
    int uncounted;
    double number;
    PyObject *value;
    Py_ssize_t first;
    /* The run: what is to run, and its result: what Lua returns, or a tuple where it returns several values. */
    PyObject *name;
    Words keys, arguments;
    int is_function;
    PyObject *result;
} LuaBridge;

static void push_bytes(lua_State *L, PyObject *bytes) {
    lua.pushlstring(L, PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
}

static void push_plain(lua_State *L, PyObject *value) {
    int overflow;
    if (PyBytes_Check(value))
        push_bytes(L, value);
    else if (value == Py_True || value == Py_False)
        lua.pushboolean(L, value == Py_True);
    else if (PyLong_Check(value))
        lua.pushnumber(L, (double)PyLong_AsLongLongAndOverflow(value, &overflow));
    else if (PyFloat_Check(value))
        lua.pushnumber(L, PyFloat_AS_DOUBLE(value));
    else
        lua.pushnil(L);
}

/* Push a table of items, all of them plain. */
static void push_table(lua_State *L, Words words) {
    lua.createtable(L, (int)words.count, 0);
    for (Py_ssize_t at = 0; at < words.count; at++) {
        PyObject *item = PyList_Check(words.items) ? PyList_GET_ITEM(words.items, words.first + at)
                                                   : PyTuple_GET_ITEM(words.items, words.first + at);
        push_plain(L, item);
        lua.rawseti(L, -2, (int)at + 1);
    }
}

static void push_answered_items(lua_State *L, LuaBridge *bridge) {
    Words words = {bridge->value, bridge->first, Py_SIZE(bridge->value) - bridge->first};
    push_table(L, words);
}

/* A table with the answer's text in `field`. */
static void push_message(lua_State *L, LuaBridge *bridge, const char *field) {
    lua.createtable(L, 0, 2);
    push_bytes(L, bridge->value);
    lua.setfield(L, -2, field);
}

/* Give the answer to the script: return it, or raise the error that it is unless `caught`. */
static int give_answer(lua_State *L, LuaBridge *bridge, int caught) {
    switch (bridge->kind) {
    case K_NUMBER: lua.pushnumber(L, bridge->number); break;
    case K_BYTES: push_bytes(L, bridge->value); break;
    case K_TRUE: case K_FALSE: lua.pushboolean(L, bridge->kind == K_TRUE); break;
    case K_NIL: lua.pushnil(L); break;
    case K_STATUS: push_message(L, bridge, "ok"); break;
    case K_ELEMENTS: push_answered_items(L, bridge); break;
    case K_CODED:
        lua.rawgeti(L, LUA_REGISTRY, bridge->build);
        push_answered_items(L, bridge);
        lua.pushnumber(L, 1);
        lua.call(L, 2, 1);
        break;
    case K_ERROR:
        push_message(L, bridge, "err");
        if (!bridge->uncounted) {
            lua.pushboolean(L, 1);
            lua.setfield(L, -2, "ignore_error_stats_update");
        }
        if (!caught) return lua.error(L);
        break;
    case K_STOP:
        lua.rawgeti(L, LUA_REGISTRY, bridge->stop);
        push_bytes(L, bridge->value);
        lua.call(L, 1, 0);
        push_message(L, bridge, "err");
        return lua.error(L);
    }
    return 1;
}

static int ask(lua_State *L, int caught) {
    LuaBridge *bridge = (LuaBridge *)lua.touserdata(L, LUA_UPVALUE_1);
    if (!bridge->running) { /* no script: redis.call is not reachable then, and the GIL not held */
        lua.pushlstring(L, "no script is running", 20);
        return lua.error(L);
    }
    bridge->ask(bridge, L);
    return give_answer(L, bridge, caught);
}

static int redis_call(lua_State *L) { return ask(L, 0); }
static int redis_pcall(lua_State *L) { return ask(L, 1); }

static int adopt_scripts(lua_State *L) {
    LuaBridge *bridge = (LuaBridge *)lua.touserdata(L, LUA_UPVALUE_1);
    lua.unref(L, LUA_REGISTRY, bridge->scripts);
    lua.settop(L, 1);
    bridge->scripts = lua.ref(L, LUA_REGISTRY);
    return 0;
}

/* Takes what the bridge needs of redis.lua, in the order of the struct. */
static int adopt(lua_State *L) {
    LuaBridge *bridge = (LuaBridge *)lua.touserdata(L, LUA_UPVALUE_1);
    int *places[] = {&bridge->handle_error, &bridge->stop, &bridge->build, &bridge->finish, &bridge->run_function,
                     &bridge->environment, &bridge->scripts};
    int count = (int)(sizeof places / sizeof *places);
    lua.settop(L, count);
    while (count--) *places[count] = lua.ref(L, LUA_REGISTRY);
    return 0;
}

/* Found by package.loadlib. Takes the address of a bridge, as bytes; returns call, pcall, adopt and adopt_scripts. */
__attribute__((visibility("default"))) int kedis_open_bridge(lua_State *L) {
    static const lua_CFunction functions[] = {redis_call, redis_pcall, adopt, adopt_scripts};
    LuaBridge *bridge;
    memcpy(&bridge, lua.tolstring(L, 1, NULL), sizeof bridge);
    bridge->main = L;
    for (size_t at = 0; at < sizeof functions / sizeof *functions; at++) {
        lua.pushlightuserdata(L, bridge);
        lua.pushcclosure(L, functions[at], 1);
    }
    return 4;
}

/* The Python object of a plain value; a new reference, or NULL with an exception. */
static PyObject *plain_object(lua_State *L, int at) {
    size_t size;
    const char *text;
    double number;
    switch (lua.type(L, at)) {
    case LUA_T_STRING:
        text = lua.tolstring(L, at, &size);
        return PyBytes_FromStringAndSize(text, (Py_ssize_t)size);
    case LUA_T_NUMBER:
        number = lua.tonumber(L, at);
        if (number > -9e15 && number < 9e15 && number == (double)(long long)number)
            return PyLong_FromLongLong((long long)number);
        return PyFloat_FromDouble(number);
    case LUA_T_BOOLEAN:
        return PyBool_FromLong(lua.toboolean(L, at));
    default:
        Py_RETURN_NONE;
    }
}

/* What stands on the stack from `first` on: one value, or a tuple. */
static PyObject *results(lua_State *L, int first) {
    int count = lua.gettop(L) - first + 1;
    PyObject *tuple;
    if (count < 2) return plain_object(L, first);
    tuple = PyTuple_New(count);
    for (int at = 0; tuple != NULL && at < count; at++) {
        PyObject *value = plain_object(L, first + at);
        if (value == NULL) Py_CLEAR(tuple);
        else PyTuple_SET_ITEM(tuple, at, value);
    }
    return tuple;
}

/* Runs the script or function of the bridge, which is the argument; called by lua_cpcall. */
static int run_protected(lua_State *L) {
    LuaBridge *bridge = (LuaBridge *)lua.touserdata(L, 1);
    int status, type;
    lua.settop(L, 0);
    if (bridge->is_function) {
        lua.rawgeti(L, LUA_REGISTRY, bridge->run_function);
        push_bytes(L, bridge->name);
        push_table(L, bridge->keys);
        push_table(L, bridge->arguments);
        lua.call(L, 3, LUA_MULTIPLE);
        bridge->result = results(L, 1);
        return 0;
    }
    lua.rawgeti(L, LUA_REGISTRY, bridge->handle_error);
    lua.rawgeti(L, LUA_REGISTRY, bridge->environment);
    push_table(L, bridge->keys);
    lua.setfield(L, 2, "KEYS");
    push_table(L, bridge->arguments);
    lua.setfield(L, 2, "ARGV");
    lua.rawgeti(L, LUA_REGISTRY, bridge->scripts);
    push_bytes(L, bridge->name);
    lua.rawget(L, 3);
    status = lua.pcall(L, 0, 1, 1); /* the table of scripts stays at 3, the result comes to 4 */
    type = lua.type(L, 4);
    if (status == 0 && (type == LUA_T_STRING || type == LUA_T_NUMBER || type == LUA_T_BOOLEAN || type == LUA_T_NIL)) {
        bridge->result = plain_object(L, 4);
        return 0;
    }
    lua.rawgeti(L, LUA_REGISTRY, bridge->finish);
    lua.pushboolean(L, status == 0);
    lua.pushvalue(L, 4);
    lua.call(L, 2, LUA_MULTIPLE);
    bridge->result = results(L, 5);
    return 0;
}

static int run_lua(LuaBridge *bridge) {
    int top = lua.gettop(bridge->main);
    int status = lua.cpcall(bridge->main, run_protected, bridge);
    lua.settop(bridge->main, top);
    return status;
}

#endif
