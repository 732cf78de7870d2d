/* Bugs on purpose. The quiet rooms are compiled a second time for the simulator with
 * KVORUM_PLANTS; there PLANT(x) is true while bug x is planted, and the rule beside it is
 * broken. In the programs PLANT is the constant false and costs nothing.
 *
 * Each name is one rule of the protocol left out; the simulator must find every one of
 * them (`sim --plants`). */
#ifndef KV_BASE_PLANT_H
#define KV_BASE_PLANT_H

#include <stdbool.h>

#define PLANTS(X)                                                                                   \
    X(VOTE_UNSAVED, "a vote is answered before it is on disk")                                      \
    X(RECORD_ANY_BALLOT, "a voter takes a record of a ballot below its promise")                    \
    X(BASE_OWN, "the leader builds on its own record, not on the highest among its majority")       \
    X(BASE_MOVES, "the base changes with answers that come after the majority")                     \
    X(SEAL_WITHOUT_SELF, "a member counts as sealed though it goes on as primary")                  \
    X(SEAL_ONE_FEWER, "one counted seal too few is enough")                                         \
    X(OPEN_NOT_SEALED, "OPEN is taken without sealed = epoch")                                      \
    X(EPOCH_AFTER_RESTART, "a restarted primary goes on with its epoch")                            \
    X(ACK_OLD_LIFE, "acknowledgements of another life count")                                       \
    X(SEAL_NEW_LIFE, "the seal of another life counts")                                             \
    X(OFFSET_WITHOUT_EPOCH, "positions are compared by offset alone")                               \
    X(NO_MARKER, "writes of an epoch count without its marker")                                     \
    X(LEASE_FROM_ANSWER, "the lease runs from the answer, not from the question")                   \
    X(NO_SILENCE, "a voter forgets the silence after its start")                                    \
    X(SEAL_EARLY, "a member answers a seal before its promise lapsed")                              \
    X(RESUME_AFTER_END, "a hand-over is called off after END")                                      \
    X(JOINT_DROPPED_AT_JOINT, "the old configuration is dropped when the new one arrives")          \
    X(JOINT_DROPPED_AT_READY, "... when the new one is satisfied")                                  \
    X(JOINT_UNSTORED, "COMMITTED is said before a majority stored the record")                      \
    X(MARKER_UNPROVED, "an unproved OPEN writes its marker at once")                                \
    X(LEASE_PIECED, "the first lease is pieced together from two records of one epoch")             \
    X(FETCH_LATE, "a follower obeys a FETCH of a ballot whose epoch it already has entries of")     \
    X(VOTERS_WITHOUT_JOINT, "V changes without JOINT")                                              \
    X(VOTER_LIFE_IN_PLACE, "a voter's new life takes the old one's place in one step")              \
    X(FORM_AT_MAJORITY, "a formation counts at a majority, not at all of V")                        \
    X(BIND_ANY_NUMBER, "BIND is taken without a higher number")                                     \
    X(BOUND_TAKES_PLAIN, "a bound node obeys a plain role order")                                   \
    X(SEAL_BEFORE_MARKER, "a formation record is sealed on before its marker was shown")            \
    X(PROMISE_IGNORED, "a voter takes another epoch's record while its promise runs")               \
    X(MEMBER_LEASE_OLD_CONFIG, "promises are counted in the newest configuration only")

enum plant {
    PLANT_NONE,
#define KV_PLANT_ENUM(name, text) PLANT_##name,
    PLANTS(KV_PLANT_ENUM)
#undef KV_PLANT_ENUM
    PLANT_COUNT
};

#ifdef KVORUM_PLANTS
extern enum plant kv_plant;            /* defined by the simulator */
#define PLANT(name) (kv_plant == PLANT_##name)
#else
#define PLANT(name) false
#endif

#endif
