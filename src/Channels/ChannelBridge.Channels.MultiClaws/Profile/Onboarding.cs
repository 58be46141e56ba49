using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.MultiClaws.Teams;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.MultiClaws.Profile;

/// <summary>
/// Has the gateway's agent finish the profile: its main session, and each that uses a tool of this channel, is told once what to do, by a word that its model reads in the
/// next turn. A record says that it was told. Agents of this host itself are told in turns of the host's own user, who speaks to them on this machine. Sessions of
/// strangers never are.
/// </summary>
internal sealed partial class Onboarding(
    OwnProfile profile, IRecords records, INotifier notifier, MultiClawsOptions options, TimeProvider time, ILogger<Onboarding> logger) : ITurnInstructions
{
    /// <summary>The session of the gateway's owner.</summary>
    public const string MainSession = "agent:main:main";

    /// <summary>What the review asks, in the words that clients show.</summary>
    public const string Question = "This is this host's MultiClaws profile. Should its name, role, data sources or abilities be changed?";

    private const string Namespace = "multiclaws.told";
    private const int MaxBioKiB = TeamMember.MaxBio / 1024;

    /// <summary>The instruction, or null when nothing is to be done.</summary>
    public async ValueTask<string?> TextAsync(CancellationToken cancellationToken)
    {
        if (!await profile.IsPendingAsync(cancellationToken).ConfigureAwait(false)) return null;
        var view = await profile.GetAsync(cancellationToken).ConfigureAwait(false);
        return $"""
            ChannelBridge: this assistant's MultiClaws profile isn't finished. Other people's agents choose whom to ask by it. When it suits the conversation, and only with
            the user of this host:
            1. Look at what you can do here (tools, skills, connected accounts and data) and write a bio in Markdown, at most {MaxBioKiB} KiB: what another
               agent may ask you for, and which data you have. No secrets, no addresses.
            2. Show the user name and bio and ask for each whether it is right. The name is now "{view.OwnerName}". Wait for an answer to both.
            3. Tell the user, without asking: hosts in one local network find each other as they are; for different networks everybody installs Tailscale ({TeamDesk.Tailscale}).
            4. Save them with multiclaws_profile_set, then call multiclaws_profile_clear_pending_review.
            """;
    }

    /// <inheritdoc/>
    public string? InstructionsFor(AgentTurn turn)
    {
        ArgumentNullException.ThrowIfNull(turn);
        if (!profile.IsPendingNow || turn.Message.Door != Door.Local || turn.Message.IsGroup) return null;
        return $"""
            This host's MultiClaws profile isn't finished; other people's agents choose whom to ask by it. When it suits the conversation, offer the user to
            write a bio together: in Markdown, what you can do here and which data you have, at most {MaxBioKiB} KiB, no secrets, no addresses. The name is now
            "{profile.Known.OwnerName}". Have the user confirm name and bio; the user saves them with: channelbridge profile set --name NAME --bio-file FILE
            """;
    }

    /// <summary>Tells the gateway's main session, if there is something to do.</summary>
    public ValueTask TellMainAsync(CancellationToken cancellationToken) => TellAsync(MainSession, cancellationToken);

    /// <summary>Tells a session of the gateway that has used a tool.</summary>
    public async ValueTask TellAsync(string? sessionKey, CancellationToken cancellationToken)
    {
        if (!options.Notify || sessionKey is not { Length: > 0 and <= 300 }) return;
        try
        {
            if (await TextAsync(cancellationToken).ConfigureAwait(false) is not { } text) return;
            if (await records.GetRecordAsync(Namespace, sessionKey, cancellationToken).ConfigureAwait(false) is not null) return;
            var told = new RecordPut { Namespace = Namespace, Key = sessionKey, Value = "1"u8.ToArray(), At = time.GetUtcNow().ToUnixTimeMilliseconds() };
            var origin = new GatewaySessionOrigin(sessionKey, Wake: false);
            await notifier.NotifyAsync(origin, text, $"multiclaws/onboarding/{sessionKey}", [told], cancellationToken).ConfigureAwait(false);
        }
        catch (BridgeException fault)
        {
            // A tool's answer doesn't fail because of it; the next call tells.
            LogNotTold(fault.Code);
        }
    }

    [LoggerMessage(LogEvents.OnboardingNotTold, LogLevel.Warning, "A session of the gateway could not be told how to finish the profile ({Code})")]
    private partial void LogNotTold(string code);
}
