using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.MultiClaws.Teams;

namespace ChannelBridge.Channels.MultiClaws.Profile;

/// <summary>Name and bio.</summary>
/// <param name="OwnerName">Whose agent it is.</param>
/// <param name="Bio">What it can do and which data it has, in Markdown, for other agents to read.</param>
internal sealed record ProfileView(string OwnerName, string Bio);

/// <summary>What this host says of itself to others: a name and a bio that its user has confirmed.</summary>
internal sealed class OwnProfile(IRecords records, MultiClawsOptions options, TimeProvider time) : IAgentProfileSource, IDisposable
{
    /// <summary>What others read of a host that has said nothing yet.</summary>
    public const string Unsaid = "An agent behind ChannelBridge";

    private const string Namespace = "multiclaws.profile";
    private const string Record = "self";

    private readonly SemaphoreSlim _gate = new(1);
    private volatile StoredProfile? _profile;

    /// <inheritdoc/>
    public AgentProfile? Profile => _profile is { OwnerName.Length: > 0, Bio.Length: > 0 } said ? new AgentProfile(said.OwnerName, said.Bio) : null;

    /// <summary>What is known of it without a wait; before it was read, the name only.</summary>
    public ProfileView Known => View(_profile);

    /// <summary>The same as <see cref="IsPendingAsync"/> without a wait; false before it was read.</summary>
    public bool IsPendingNow => _profile is { Cleared: false } && !IsComplete(Known);

    /// <summary>Reads it, once.</summary>
    public async ValueTask<ProfileView> GetAsync(CancellationToken cancellationToken)
    {
        if (_profile is null) await ReadAsync(cancellationToken).ConfigureAwait(false);
        return View(_profile);
    }

    /// <summary>True when name or bio are missing and nobody has said that they may.</summary>
    public async ValueTask<bool> IsPendingAsync(CancellationToken cancellationToken)
    {
        var view = await GetAsync(cancellationToken).ConfigureAwait(false);
        return !IsComplete(view) && _profile is not { Cleared: true };
    }

    /// <summary>Reads what another host of the store has changed.</summary>
    public async ValueTask ReadAsync(CancellationToken cancellationToken)
    {
        var record = await records.GetRecordAsync(Namespace, Record, cancellationToken).ConfigureAwait(false);
        _profile = record is null ? new StoredProfile() : JsonSerializer.Deserialize(record.Value.Span, ProfileJson.Default.StoredProfile)!;
    }

    /// <summary>Changes name, bio, or both.</summary>
    /// <exception cref="BridgeException"><c>INVALID_REQUEST</c>: what is wrong with them.</exception>
    public ValueTask<ProfileView> SetAsync(string? ownerName, string? bio, CancellationToken cancellationToken)
    {
        ownerName = ownerName?.Trim();
        if (ownerName is not null && TeamMember.NameFault(ownerName) is { } name) throw BridgeException.Invalid("ownerName " + name);
        if (TeamMember.TextFault(bio, TeamMember.MaxBio) is { } text) throw BridgeException.Invalid("bio " + text);
        return ChangeAsync(stored => stored with { OwnerName = ownerName ?? stored.OwnerName, Bio = bio ?? stored.Bio, Cleared = false }, cancellationToken);
    }

    /// <summary>Has no review pending until the host starts again.</summary>
    public async ValueTask ClearAsync(CancellationToken cancellationToken) =>
        await ChangeAsync(static stored => stored with { Cleared = true }, cancellationToken).ConfigureAwait(false);

    /// <summary>The host has started: what is still missing is pending again.</summary>
    public async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        await GetAsync(cancellationToken).ConfigureAwait(false);
        if (_profile is { Cleared: true }) await ChangeAsync(static stored => stored with { Cleared = false }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>True when others can tell by it what this host is good for.</summary>
    public static bool IsComplete(ProfileView view) => view.OwnerName.Trim().Length > 0 && view.Bio.Trim().Length > 0;

    /// <summary>How a profile stands in a team: the owner's name, an empty line, and the bio.</summary>
    public static string Describe(ProfileView view) => view.Bio.Trim().Length == 0 ? Unsaid : $"{view.OwnerName}\n\n{view.Bio}";

    /// <inheritdoc/>
    public void Dispose() => _gate.Dispose();

    private async ValueTask<ProfileView> ChangeAsync(Func<StoredProfile, StoredProfile> change, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await ReadAsync(cancellationToken).ConfigureAwait(false);
            var next = change(_profile!);
            await records.WriteAsync(
                new RecordPut
                {
                    Namespace = Namespace,
                    Key = Record,
                    Value = JsonSerializer.SerializeToUtf8Bytes(next, ProfileJson.Default.StoredProfile),
                    At = time.GetUtcNow().ToUnixTimeMilliseconds(),
                },
                cancellationToken).ConfigureAwait(false);
            _profile = next;
            return View(next);
        }
        finally
        {
            _gate.Release();
        }
    }

    private ProfileView View(StoredProfile? stored) =>
        new(stored?.OwnerName is { Length: > 0 } said ? said : NameOf(options.DisplayName ?? Environment.MachineName), stored?.Bio ?? "");

    private static string NameOf(string text)
    {
        var name = text.Length > TeamMember.MaxName ? text[..TeamMember.MaxName] : text;
        return TeamMember.NameFault(name) is null ? name : "ChannelBridge";
    }
}

/// <summary>The profile as it is kept.</summary>
internal sealed record StoredProfile
{
    public string OwnerName { get; init; } = "";

    public string Bio { get; init; } = "";

    public bool Cleared { get; init; }
}

/// <summary>Serialization of the profile.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(StoredProfile))]
internal sealed partial class ProfileJson : JsonSerializerContext;
