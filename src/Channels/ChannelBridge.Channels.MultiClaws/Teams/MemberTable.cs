namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>What became of a record that was put into the table.</summary>
internal enum Merged
{
    /// <summary>It is new, or later than what was known: it is passed on.</summary>
    Changed,

    /// <summary>It, or something later, was known: it ends here.</summary>
    Known,

    /// <summary>Another key has this address.</summary>
    Taken,

    /// <summary>There is no room for another member.</summary>
    Full,

    /// <summary>It would bring somebody in who doesn't show that it has the team's secret.</summary>
    NotAdmitted,
}

/// <summary>
/// The members of one team: of each the latest record. Whatever order records come in, however often, two tables that have seen the same ones are equal. Those that
/// have left stay known, so that an old record doesn't bring them back.
/// </summary>
internal sealed class MemberTable
{
    /// <summary>The most members.</summary>
    public const int MostMembers = 256;

    /// <summary>The most that are remembered after they left.</summary>
    public const int MostLeft = 1024;

    private readonly Dictionary<string, TeamMember> _all = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();

    /// <summary>All records, of those who have left, too.</summary>
    public IReadOnlyList<TeamMember> All
    {
        get
        {
            lock (_gate) return [.. _all.Values];
        }
    }

    /// <summary>The members, the one that joined first before the others.</summary>
    public IReadOnlyList<TeamMember> Members =>
        [.. All.Where(static member => !member.Left).OrderBy(static member => member.JoinedAtMs).ThenBy(static member => member.Url, StringComparer.Ordinal)];

    /// <summary>The record of a member, or null.</summary>
    public TeamMember? Find(string id)
    {
        lock (_gate) return _all.GetValueOrDefault(id);
    }

    /// <summary>Takes a record whose <see cref="TeamMember.Fault"/> is null.</summary>
    /// <param name="member">The record.</param>
    /// <param name="dropped">Ids of records that went because of it.</param>
    public Merged Merge(TeamMember member, List<string>? dropped = null)
    {
        var id = member.Id;
        lock (_gate)
        {
            var known = _all.GetValueOrDefault(id);
            if (known is not null && !member.IsLaterThan(known)) return Merged.Known;
            if (!member.Left)
            {
                var others = _all.Where(pair => !pair.Value.Left && pair.Key != id).ToList();
                var holder = others.Find(pair => pair.Value.Url == member.Url);
                // The first key that was seen at an address stays; who had none there gives way to one who has.
                if (holder.Key is not null && (holder.Value.Key is not null || member.Key is null)) return Merged.Taken;
                if (holder.Key is not null)
                {
                    _all.Remove(holder.Key);
                    dropped?.Add(holder.Key);
                }
                else if (others.Count >= MostMembers)
                {
                    return Merged.Full;
                }
            }

            _all[id] = member;
            DropOldest(dropped);
            return Merged.Changed;
        }
    }

    /// <summary>Forgets records.</summary>
    public void Remove(IEnumerable<string> ids)
    {
        lock (_gate)
        {
            foreach (var id in ids) _all.Remove(id);
        }
    }

    private void DropOldest(List<string>? dropped)
    {
        var left = _all.Where(static pair => pair.Value.Left).ToList();
        if (left.Count <= MostLeft) return;
        foreach (var (id, _) in left.OrderBy(static pair => pair.Value.ChangedAtMs).ThenBy(static pair => pair.Key, StringComparer.Ordinal).Take(left.Count - MostLeft))
        {
            _all.Remove(id);
            dropped?.Add(id);
        }
    }
}
