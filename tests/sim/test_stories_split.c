/* Stories of cuts: who may decide, who may not, and how all agree again. */
#include "tests/sim/stories.h"

#include <string.h>

/* Two of five sentinels, cut off with a replica, see the primary down and can do nothing. */
STORY(minority_cannot_fail_over, 5, 3)
{
    story_cut(w, "s1 s2 n2", "s3 s4 s5 n1 n3");
    story_wait(w, 20000);
    story_expect(w,
        "[     0] --  s1 s2 n2 <-/-> s3 s4 s5 n1 n3\n"
        "[  5003] s2  +sdown master orders n1\n"
        "[  5003] s1  +sdown master orders n1\n");
    story_check(w, story_is_primary(w, "n1"), "n1 is still primary");
    story_check(w, !story_is_primary(w, "n2"), "n2 is no primary");
    story_heal(w);
    story_wait(w, 15000);
    story_check(w, story_follows(w, "n2", "n1"), "n2 follows n1 again");
}

/* The primary alone on the wrong side: the majority replaces it, and after the cut it follows. */
STORY(isolated_primary_is_replaced, 3, 3)
{
    story_cut(w, "n1", "s1 s2 s3 n2 n3");
    story_wait(w, 9000);
    story_expect(w,
        "[     0] --  n1 <-/-> s1 s2 s3 n2 n3\n"
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
    story_heal(w);
    story_wait(w, 9000);
    story_expect(w,
        "[  9000] --  the network is whole again\n"
        "[  9216] s1  orders n1 to follow n3\n"
        "[  9216] s1  +convert-to-slave slave n1 n1 @ orders n3\n"
        "[  9216] n1  primary -> connecting n3: told to follow another node\n"
        "[  9268] n1  syncing -> following n3: the copy is in place\n");
    story_check(w, !story_is_primary(w, "n1"), "n1 is no primary any more");
}

/* It is cut off from the sentinels only, and its replicas still hear it: by silence it is replaced
 * all the same (clients that ask sentinels cannot be told that it lives). */
STORY(primary_the_sentinels_cannot_see, 3, 3)
{
    story_cut(w, "n1", "s1 s2 s3");
    story_wait(w, 9000);
    story_expect(w,
        "[     0] --  n1 <-/-> s1 s2 s3\n"
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

/* A firewall resets every sentinel and lets the replicas through: to the sentinels this looks like a
 * crash, but the replicas, asked before the promotion, still have their link and object. */
STORY(replica_vetoes_the_fast_path, 3, 3)
{
    story_reject(w, "s1 s2 s3", "n1");
    story_wait(w, 1500);
    story_expect(w,
        "[     0] --  a firewall resets s1 s2 s3 -> n1\n"
        "[     1] s1  +crash-evidence master orders n1\n"
        "[     1] s1  +sdown master orders n1\n"
        "[     1] s2  +crash-evidence master orders n1\n"
        "[     1] s2  +sdown master orders n1\n"
        "[     1] s3  +crash-evidence master orders n1\n"
        "[     1] s3  +sdown master orders n1\n"
        "[     2] s1  +odown master orders n1 #quorum 2/2\n"
        "[     2] s1  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s1  waiting->bidding epoch=0: it is our turn to ask for votes\n"
        "[     2] s2  +odown master orders n1 #quorum 2/2\n"
        "[     2] s2  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     2] s3  +odown master orders n1 #quorum 2/2\n"
        "[     2] s3  idle->waiting epoch=0: a quorum sees the primary down\n"
        "[     3] s1  +vote-for-leader s1 1\n"
        "[     5] s3  +vote-for-leader s1 1\n"
        "[     5] s2  +vote-for-leader s1 1\n"
        "[     5] s1  bidding->asking epoch=1: a majority gave us this epoch\n"
        "[   305] s1  asking->choosing epoch=1: who did not answer is not waited for\n"
        "[   305] s1  choosing->idle epoch=1: a replica is still linked to the primary\n"
        "[   305] s1  -failover-withdrawn master orders n1 n3 is still linked to the primary\n"
        "[   305] s1  idle->waiting epoch=1: a quorum sees the primary down\n"
        "[   805] s1  waiting->bidding epoch=1: it is our turn to ask for votes\n"
        "[   806] s1  +vote-for-leader s1 2\n"
        "[   807] s3  +vote-for-leader s1 2\n"
        "[   807] s2  +vote-for-leader s1 2\n"
        "[   808] s1  bidding->asking epoch=2: a majority gave us this epoch\n"
        "[  1108] s1  asking->choosing epoch=2: who did not answer is not waited for\n"
        "[  1108] s1  choosing->idle epoch=2: a replica is still linked to the primary\n"
        "[  1108] s1  -failover-withdrawn master orders n1 n3 is still linked to the primary\n"
        "[  1108] s1  idle->waiting epoch=2: a quorum sees the primary down\n");
    story_check(w, story_is_primary(w, "n1"), "n1 is still primary");
    story_heal(w);
    story_wait(w, 5000);
    story_check(w, story_is_primary(w, "n1"), "n1 is still primary");
}

/* One-way: the primary hears everybody, nobody hears it. */
STORY(primary_that_is_not_heard, 3, 3)
{
    story_cut_one_way(w, "n1", "s1 s2 s3 n2 n3");
    story_wait(w, 9000);
    story_expect(w,
        "[     0] --  n1 -/-> s1 s2 s3 n2 n3\n"
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

/* One sentinel alone believes that the primary is down. */
STORY(one_sentinel_is_not_believed, 3, 3)
{
    story_cut(w, "s1", "n1");
    story_wait(w, 12000);
    story_expect(w,
        "[     0] --  s1 <-/-> n1\n"
        "[  5003] s1  +sdown master orders n1\n");
    story_check(w, story_is_primary(w, "n1"), "n1 is still primary");
}

/* An operator orders a failover on the side that has no majority, and the other side elects
 * somebody in the same epoch: two configurations that no epoch can tell apart. All take the same. */
STORY(two_configurations_of_one_epoch, 5, 4)
{
    story_cut(w, "s1 s2 n1 n2", "s3 s4 s5 n3 n4");
    story_wait(w, 1000);
    story_failover(w, "s1");
    story_wait(w, 9000);
    story_check(w, story_is_primary(w, "n2") && strcmp(story_named_by(w, "s1"), "n2") == 0, "s1 made n2 primary");
    story_check(w, story_named_by(w, "s3")[1] >= '3', "s3 names n3 or n4");
    story_heal(w);
    str_clear(&w->told);
    story_wait(w, 15000);
    story_expect(w,
        "[ 10308] s2  +switch-master orders n2 n4\n"
        "[ 10308] s1  +switch-master orders n2 n4\n"
        "[ 12606] s3  orders n1 to follow n4\n"
        "[ 12606] s3  +fix-slave-config slave n1 n1 @ orders n4\n"
        "[ 12606] n1  following -> connecting n4: told to follow another node\n"
        "[ 12609] s3  orders n2 to follow n4\n"
        "[ 12609] s3  +convert-to-slave slave n2 n2 @ orders n4\n"
        "[ 12609] n2  primary -> connecting n4: told to follow another node\n"
        "[ 12658] n1  syncing -> following n4: the copy is in place\n"
        "[ 12661] n2  syncing -> following n4: the copy is in place\n");
    for (int i = 0; i < 5; i++)
        story_check(w, strcmp(story_named_by(w, w->procs[i].name), story_named_by(w, "s3")) == 0, "all name the same");
}
