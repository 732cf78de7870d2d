/* Stories of failovers that go well: who sees what, who leads, in which order and how fast. */
#include "common/base/timeval.h"
#include "tests/sim/stories.h"

#include <string.h>

/* kill -9: an established link closes and a reconnect is refused, so nobody waits for down-after. */
STORY(crash_takes_the_fast_path, 3, 3)
{
    story_kill(w, "n1");
    story_wait(w, 1000);
    story_expect(w,
        "[     0] n1  is killed\n"
        "[     1] s3  +crash-evidence master orders n1\n"
        "[     1] s3  +sdown master orders n1\n"
        "[     1] s2  +crash-evidence master orders n1\n"
        "[     1] s2  +sdown master orders n1\n"
        "[     1] s1  +crash-evidence master orders n1\n"
        "[     1] s1  +sdown master orders n1\n"
        "[     2] s3  +odown master orders n1 #quorum 2/2\n"
        "[     2] s3  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s2  +odown master orders n1 #quorum 2/2\n"
        "[     2] s2  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  +odown master orders n1 #quorum 2/2\n"
        "[     2] s1  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[     3] s1  +vote-for-leader s1 1\n"
        "[     5] s3  +vote-for-leader s1 1\n"
        "[     5] s2  +vote-for-leader s1 1\n"
        "[     5] s1  bidding->asking epoch=1: a majority gave us this epoch\n"
        "[     6] s1  asking->choosing epoch=1: every reachable replica told its offset\n"
        "[     6] s1  choosing->sealing epoch=1: first they are drawn off the old primary, so that where they are is where they stay\n"
        "[     6] s1  orders n3 to follow nobody\n"
        "[     6] s1  orders n2 to follow nobody\n"
        "[     7] n3  waiting -> connecting: told to follow another node\n"
        "[     7] n2  waiting -> connecting: told to follow another node\n"
        "[     7] s1  sealing->choosing epoch=1: every reachable replica is sealed and told its offset\n"
        "[     7] s1  choosing->promoting epoch=1: the best replica of this moment\n"
        "[     7] s1  orders n3 to be primary\n"
        "[     8] n3  waiting -> primary: told to be primary\n"
        "[     8] s1  promoting->repointing epoch=1: the replica now says it is primary\n"
        "[     9] s1  +switch-master orders n1 n3\n"
        "[     9] s1  orders n2 to follow n3\n"
        "[    10] s3  waiting->idle epoch=0: a newer configuration settles it\n"
        "[    10] s3  +switch-master orders n1 n3\n"
        "[    10] s2  waiting->idle epoch=0: a newer configuration settles it\n"
        "[    10] s2  +switch-master orders n1 n3\n"
        "[    10] n2  waiting -> connecting n3: told to follow another node\n"
        "[    12] n2  connecting -> following n3: our history goes on under another id\n"
        "[   259] s1  repointing->idle epoch=1: every reachable replica follows it\n");
    story_check(w, story_follows(w, "n2", story_named_by(w, "s1")), "n2 follows whom the sentinels name");
}

/* The same with crash-evidence off: silence has to last for down-after. */
STORY(crash_with_no_evidence_waits_for_silence, 3, 3)
{
    story_kill(w, "n1");
    story_wait(w, 9000);
    story_expect(w,
        "[     0] n1  is killed\n"
        "[     1] s3  +crash-evidence master orders n1\n"
        "[     1] s2  +crash-evidence master orders n1\n"
        "[     1] s1  +crash-evidence master orders n1\n"
        "[  4504] s2  +sdown master orders n1\n"
        "[  4504] s1  +sdown master orders n1\n"
        "[  4504] s3  +sdown master orders n1\n"
        "[  4505] s2  +odown master orders n1 #quorum 2/2\n"
        "[  4505] s2  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[  4505] s1  +odown master orders n1 #quorum 2/2\n"
        "[  4505] s1  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[  4505] s1  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[  4505] s3  +odown master orders n1 #quorum 2/2\n"
        "[  4505] s3  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[  4506] s1  +vote-for-leader s1 1\n"
        "[  4507] s3  +vote-for-leader s1 1\n"
        "[  4507] s2  +vote-for-leader s1 1\n"
        "[  4508] s1  bidding->asking epoch=1: a majority gave us this epoch\n"
        "[  4509] s1  asking->choosing epoch=1: every reachable replica told its offset\n"
        "[  4509] s1  choosing->sealing epoch=1: first they are drawn off the old primary, so that where they are is where they stay\n"
        "[  4509] s1  orders n3 to follow nobody\n"
        "[  4509] s1  orders n2 to follow nobody\n"
        "[  4509] n3  waiting -> connecting: told to follow another node\n"
        "[  4509] n2  waiting -> connecting: told to follow another node\n"
        "[  4510] s1  sealing->choosing epoch=1: every reachable replica is sealed and told its offset\n"
        "[  4510] s1  choosing->promoting epoch=1: the best replica of this moment\n"
        "[  4510] s1  orders n3 to be primary\n"
        "[  4510] n3  waiting -> primary: told to be primary\n"
        "[  4511] s1  promoting->repointing epoch=1: the replica now says it is primary\n"
        "[  4512] s1  +switch-master orders n1 n3\n"
        "[  4512] s1  orders n2 to follow n3\n"
        "[  4512] s3  waiting->idle epoch=0: a newer configuration settles it\n"
        "[  4512] s3  +switch-master orders n1 n3\n"
        "[  4512] s2  waiting->idle epoch=0: a newer configuration settles it\n"
        "[  4512] s2  +switch-master orders n1 n3\n"
        "[  4512] n2  waiting -> connecting n3: told to follow another node\n"
        "[  4514] n2  connecting -> following n3: our history goes on under another id\n"
        "[  4762] s1  repointing->idle epoch=1: every reachable replica follows it\n");
}

/* A process that hangs closes nothing and refuses nothing. */
STORY(hang_waits_for_down_after, 3, 3)
{
    story_hang(w, "n1", NEVER_MS);
    story_wait(w, 9000);
    story_expect(w,
        "[     0] n1  hangs\n"
        "[  5003] s2  +sdown master orders n1\n"
        "[  5003] s1  +sdown master orders n1\n"
        "[  5003] s3  +sdown master orders n1\n"
        "[  5004] s2  +odown master orders n1 #quorum 2/2\n"
        "[  5004] s2  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[  5004] s1  +odown master orders n1 #quorum 2/2\n"
        "[  5004] s1  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[  5004] s1  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[  5004] s3  +odown master orders n1 #quorum 2/2\n"
        "[  5004] s3  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[  5005] s1  +vote-for-leader s1 1\n"
        "[  5006] s3  +vote-for-leader s1 1\n"
        "[  5006] s2  +vote-for-leader s1 1\n"
        "[  5007] s1  bidding->asking epoch=1: a majority gave us this epoch\n"
        "[  5008] s1  asking->choosing epoch=1: every reachable replica told its offset\n"
        "[  5008] s1  choosing->sealing epoch=1: first they are drawn off the old primary, so that where they are is where they stay\n"
        "[  5008] s1  orders n3 to follow nobody\n"
        "[  5008] s1  orders n2 to follow nobody\n"
        "[  5008] n3  following -> connecting: told to follow another node\n"
        "[  5008] n2  following -> connecting: told to follow another node\n"
        "[  5009] s1  sealing->choosing epoch=1: every reachable replica is sealed and told its offset\n"
        "[  5009] s1  choosing->promoting epoch=1: the best replica of this moment\n"
        "[  5009] s1  orders n3 to be primary\n"
        "[  5009] n3  waiting -> primary: told to be primary\n"
        "[  5010] s1  promoting->repointing epoch=1: the replica now says it is primary\n"
        "[  5011] s1  +switch-master orders n1 n3\n"
        "[  5011] s1  orders n2 to follow n3\n"
        "[  5011] s3  waiting->idle epoch=0: a newer configuration settles it\n"
        "[  5011] s3  +switch-master orders n1 n3\n"
        "[  5011] s2  waiting->idle epoch=0: a newer configuration settles it\n"
        "[  5011] s2  +switch-master orders n1 n3\n"
        "[  5011] n2  waiting -> connecting n3: told to follow another node\n"
        "[  5013] n2  connecting -> following n3: our history goes on under another id\n"
        "[  5261] s1  repointing->idle epoch=1: every reachable replica follows it\n");
}

/* Busy for less than down-after: nobody moves. */
STORY(short_hang_is_no_reason, 3, 3)
{
    story_hang(w, "n1", 4000);
    story_wait(w, 20000);
    story_expect(w,
        "[     0] n1  hangs\n"
        "[  4000] n1  goes on\n");
    story_check(w, story_is_primary(w, "n1"), "n1 is still primary");
}

/* A crash and a restart within milliseconds: it is back before anybody refused. */
STORY(quick_restart_is_seen, 3, 3)
{
    story_kill(w, "n1");
    story_start(w, "n1");
    story_wait(w, 5000);
    story_expect(w,
        "[     0] n1  is killed\n"
        "[     0] n1  starts again\n"
        "[     3] s3  +reboot master orders n1\n"
        "[     3] s2  +reboot master orders n1\n"
        "[     3] s1  +reboot master orders n1\n"
        "[   102] n3  syncing -> following n1: the copy is in place\n"
        "[   102] n2  syncing -> following n1: the copy is in place\n");
    story_check(w, story_is_primary(w, "n1"), "n1 is still primary");
}

/* The old primary comes back, still thinking that it is one. */
STORY(old_primary_returns_and_is_repointed, 3, 3)
{
    story_kill(w, "n1");
    story_wait(w, 10000);
    str_clear(&w->told);
    story_start(w, "n1");
    story_wait(w, 10000);
    story_expect(w,
        "[ 10000] n1  starts again\n"
        "[ 10526] s1  orders n1 to follow n3\n"
        "[ 10526] s1  +convert-to-slave slave n1 n1 @ orders n3\n"
        "[ 10526] n1  primary -> connecting n3: told to follow another node\n"
        "[ 10578] n1  syncing -> following n3: the copy is in place\n");
    story_check(w, story_follows(w, "n1", story_named_by(w, "s2")), "n1 follows the new primary");
}

/* The chosen replica dies just when it is told to be primary. */
STORY(chosen_replica_dies, 3, 3)
{
    story_kill(w, "n1");
    story_kill(w, story_until_promotion(w));
    story_wait(w, 5000);
    story_expect(w,
        "[     0] n1  is killed\n"
        "[     1] s3  +crash-evidence master orders n1\n"
        "[     1] s3  +sdown master orders n1\n"
        "[     1] s2  +crash-evidence master orders n1\n"
        "[     1] s2  +sdown master orders n1\n"
        "[     1] s1  +crash-evidence master orders n1\n"
        "[     1] s1  +sdown master orders n1\n"
        "[     2] s3  +odown master orders n1 #quorum 2/2\n"
        "[     2] s3  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s2  +odown master orders n1 #quorum 2/2\n"
        "[     2] s2  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  +odown master orders n1 #quorum 2/2\n"
        "[     2] s1  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[     3] s1  +vote-for-leader s1 1\n"
        "[     5] s3  +vote-for-leader s1 1\n"
        "[     5] s2  +vote-for-leader s1 1\n"
        "[     5] s1  bidding->asking epoch=1: a majority gave us this epoch\n"
        "[     6] s1  asking->choosing epoch=1: every reachable replica told its offset\n"
        "[     6] s1  choosing->sealing epoch=1: first they are drawn off the old primary, so that where they are is where they stay\n"
        "[     6] s1  orders n3 to follow nobody\n"
        "[     6] s1  orders n2 to follow nobody\n"
        "[     7] n3  waiting -> connecting: told to follow another node\n"
        "[     7] n2  waiting -> connecting: told to follow another node\n"
        "[     7] s1  sealing->choosing epoch=1: every reachable replica is sealed and told its offset\n"
        "[     7] s1  choosing->promoting epoch=1: the best replica of this moment\n"
        "[     7] s1  orders n3 to be primary\n"
        "[     7] n3  is killed\n"
        "[     9] s3  +crash-evidence slave n3 n3 @ orders n1\n"
        "[     9] s2  +crash-evidence slave n3 n3 @ orders n1\n"
        "[     9] s1  +crash-evidence slave n3 n3 @ orders n1\n"
        "[     9] s1  promoting->asking epoch=1: the chosen replica cannot: ask the others anew\n"
        "[     9] s1  n3 cannot be promoted, choosing another\n"
        "[    10] s1  asking->choosing epoch=1: every reachable replica told its offset\n"
        "[    10] s1  choosing->promoting epoch=1: the best replica of this moment\n"
        "[    10] s1  orders n2 to be primary\n"
        "[    10] n2  waiting -> primary: told to be primary\n"
        "[    11] s1  promoting->repointing epoch=1: the replica now says it is primary\n"
        "[    12] s1  +switch-master orders n1 n2\n"
        "[    12] s1  repointing->idle epoch=1: every reachable replica follows it\n"
        "[    12] s3  waiting->idle epoch=0: a newer configuration settles it\n"
        "[    12] s3  +switch-master orders n1 n2\n"
        "[    12] s2  waiting->idle epoch=0: a newer configuration settles it\n"
        "[    12] s2  +switch-master orders n1 n2\n");
}

/* An operator's order while all is well. */
STORY(operator_orders_a_failover, 3, 3)
{
    story_failover(w, "s2");
    story_wait(w, 6000);
    story_expect(w,
        "[     0] s2  is told to fail over orders\n"
        "[     0] s2  idle->bidding epoch=0: an operator asked for it\n"
        "[     1] s2  +vote-for-leader s2 1\n"
        "[     2] s3  +vote-for-leader s2 1\n"
        "[     2] s1  +vote-for-leader s2 1\n"
        "[     3] s2  bidding->asking epoch=1: a majority gave us this epoch\n"
        "[     4] s2  asking->choosing epoch=1: every reachable replica told its offset\n"
        "[     4] s2  choosing->promoting epoch=1: the best replica of this moment\n"
        "[     4] s2  orders n3 to be primary\n"
        "[     4] n3  following -> primary: told to be primary\n"
        "[     5] s2  promoting->repointing epoch=1: the replica now says it is primary\n"
        "[     6] s2  +switch-master orders n1 n3\n"
        "[     6] s2  orders n1 to follow n3\n"
        "[     6] s3  +switch-master orders n1 n3\n"
        "[     6] s1  +switch-master orders n1 n3\n"
        "[     6] n1  primary -> connecting n3: told to follow another node\n"
        "[     8] n1  connecting -> following n3: our history goes on under another id\n"
        "[    61] n2  connecting -> following n1: our history goes on under another id\n"
        "[   256] s2  orders n2 to follow n3\n"
        "[   256] n2  following -> connecting n3: told to follow another node\n"
        "[   258] n2  connecting -> following n3: our history goes on\n"
        "[   507] s2  repointing->idle epoch=1: every reachable replica follows it\n");
}

/* The primary knows how to hand over: nobody has two primaries, nobody lacks a write. */
STORY(operator_orders_a_hand_over, 3, 3)
{
    w->scene.kvnodes = w->scene.knows_failover = true;
    story_wait(w, 20000);
    story_failover(w, "s2");
    story_wait(w, 6000);
    story_expect(w,
        "[ 20000] s2  is told to fail over orders\n"
        "[ 20000] s2  idle->bidding epoch=0: an operator asked for it\n"
        "[ 20001] s2  +vote-for-leader s2 1\n"
        "[ 20002] s3  +vote-for-leader s2 1\n"
        "[ 20002] s1  +vote-for-leader s2 1\n"
        "[ 20003] s2  bidding->asking epoch=1: a majority gave us this epoch\n"
        "[ 20004] s2  asking->choosing epoch=1: every reachable replica told its offset\n"
        "[ 20004] s2  choosing->handing-over epoch=1: the primary hands over to the best replica of this moment\n"
        "[ 20004] s2  orders to hand over to n3\n"
        "[ 20005] n1  primary -> connecting n3: told to follow another node\n"
        "[ 20007] n3  following -> primary: told to be primary\n"
        "[ 20007] n1  connecting -> following n3: our history goes on under another id\n"
        "[ 20008] s2  handing-over->repointing epoch=1: the replica now says it is primary\n"
        "[ 20009] s2  +switch-master orders n1 n3\n"
        "[ 20009] s2  orders n1 to follow n3\n"
        "[ 20009] s3  +switch-master orders n1 n3\n"
        "[ 20009] s1  +switch-master orders n1 n3\n"
        "[ 20010] s2  orders n2 to follow n3\n"
        "[ 20010] n2  waiting -> connecting n3: told to follow another node\n"
        "[ 20012] n2  connecting -> following n3: our history goes on under another id\n"
        "[ 20261] s2  repointing->idle epoch=1: every reachable replica follows it\n");
}

/* The leader dies between the seals and the promotion, and the primary is back: the others see who follows nobody. */
STORY(sealed_and_left, 3, 3)
{
    story_hang(w, "n1", NEVER_MS);
    story_wait_us(w, 5008900);
    story_check(w, !story_follows(w, "n2", "n1") && !story_follows(w, "n3", "n1"), "both were drawn off");
    story_check(w, !story_is_primary(w, "n2") && !story_is_primary(w, "n3"), "nobody was promoted yet");
    story_kill(w, "s1");
    story_thaw(w, "n1");
    story_wait(w, 5000);
    story_check(w, story_is_primary(w, "n1") && strcmp(story_named_by(w, "s2"), "n1") == 0, "it is primary as before");
    story_check(w, story_follows(w, "n2", "n1") && story_follows(w, "n3", "n1"), "and everybody follows it again");
}
