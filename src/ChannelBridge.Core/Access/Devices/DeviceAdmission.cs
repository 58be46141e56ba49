using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Core.Access.Devices;

/// <summary>What became of a device that wants in. One of caller, need and mismatch is set; none of them: its token isn't one.</summary>
internal sealed record DeviceAdmission
{
    /// <summary>Who it is from now on.</summary>
    public Caller? Caller { get; init; }

    /// <summary>What the connection relies on; disposed when it ends.</summary>
    public DeviceGrant? Grant { get; init; }

    /// <summary>A token of its own that it didn't have, told this once.</summary>
    public string? IssuedToken { get; init; }

    /// <summary>When that was issued (Unix ms).</summary>
    public long? IssuedAt { get; init; }

    /// <summary>What an operator must approve first.</summary>
    public PairingNeed? Need { get; init; }

    /// <summary>The scopes of its token, when those that it asks for go beyond them.</summary>
    public Scopes? Mismatch { get; init; }

    /// <summary>Nothing but the type's name: a token stays out of logs.</summary>
    public override string ToString() => nameof(DeviceAdmission);
}

/// <summary>An approval that is missing.</summary>
/// <param name="Reason"><c>not-paired</c>, <c>role-upgrade</c>, <c>scope-upgrade</c> or <c>metadata-upgrade</c>.</param>
/// <param name="RequestId">The request that waits for it; null when too many wait already.</param>
/// <param name="Requested">The scopes that it asks for.</param>
/// <param name="Approved">The scopes that it has.</param>
internal sealed record PairingNeed(string Reason, string? RequestId, Scopes Requested, Scopes Approved)
{
    public const string NotPaired = "not-paired";

    public const string Scope = "scope-upgrade";

    public const string Metadata = "metadata-upgrade";
}
