namespace ChannelBridge.Abstractions.Access;

/// <summary>What a caller may do. Names on the wire: <c>operator.read</c>, <c>operator.write</c>, <c>operator.admin</c>, <c>link</c>, <c>peer</c>.</summary>
[Flags]
public enum Scopes
{
    /// <summary>Nothing: only authentication and discovery.</summary>
    None = 0,

    /// <summary><c>operator.read</c>: diagnostics and lists.</summary>
    Read = 1,

    /// <summary><c>operator.write</c>: send and receive messages; includes reading.</summary>
    Write = 2,

    /// <summary><c>operator.admin</c>: everything an operator may do; includes reading and writing.</summary>
    Admin = 4,

    /// <summary><c>link</c>: the role of the gateway plugin, which may speak for other connections. No other scope includes it.</summary>
    Link = 8,

    /// <summary><c>peer</c>: the endpoints of its channels and no method. No other scope includes it.</summary>
    Peer = 16,

    /// <summary>Every scope of the first token: all but <see cref="Peer"/>.</summary>
    All = Read | Write | Admin | Link,
}

/// <summary>Names and the inclusion rule of <see cref="Scopes"/>.</summary>
public static class ScopeNames
{
    /// <summary>The wire name of reading.</summary>
    public const string Read = "operator.read";

    /// <summary>The wire name of writing.</summary>
    public const string Write = "operator.write";

    /// <summary>The wire name of administration.</summary>
    public const string Admin = "operator.admin";

    /// <summary>The wire name of the plugin's role.</summary>
    public const string Link = "link";

    /// <summary>The wire name of the right to a channel's endpoints.</summary>
    public const string Peer = "peer";

    /// <summary>True for who may use endpoints of channels and nothing else: no method, no <c>/v1</c>.</summary>
    public static bool IsPeerOnly(this Scopes granted) => granted == Scopes.Peer;

    /// <summary>True when <paramref name="granted"/> covers <paramref name="needed"/>: admin covers write, write covers read.</summary>
    public static bool Covers(this Scopes granted, Scopes needed)
    {
        if (granted.HasFlag(Scopes.Admin)) granted |= Scopes.Write;
        if (granted.HasFlag(Scopes.Write)) granted |= Scopes.Read;
        return (granted & needed) == needed;
    }

    /// <summary>Reads one wire name; unknown names give <see cref="Scopes.None"/>.</summary>
    public static Scopes Parse(string name) => name switch
    {
        Read => Scopes.Read,
        Write => Scopes.Write,
        Admin => Scopes.Admin,
        Link => Scopes.Link,
        Peer => Scopes.Peer,
        _ => Scopes.None,
    };

    /// <summary>The wire names of a set, in the order read, write, admin, link, peer.</summary>
    public static IReadOnlyList<string> ToNames(this Scopes scopes)
    {
        var names = new List<string>(5);
        if (scopes.HasFlag(Scopes.Read)) names.Add(Read);
        if (scopes.HasFlag(Scopes.Write)) names.Add(Write);
        if (scopes.HasFlag(Scopes.Admin)) names.Add(Admin);
        if (scopes.HasFlag(Scopes.Link)) names.Add(Link);
        if (scopes.HasFlag(Scopes.Peer)) names.Add(Peer);
        return names;
    }
}
