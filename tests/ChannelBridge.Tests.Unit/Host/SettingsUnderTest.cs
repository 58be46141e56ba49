using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Channels.Bncr;
using ChannelBridge.Channels.InstaClaw;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Tests.Unit.Host;

/// <summary>The options that channels make of a host's settings.</summary>
internal static class SettingsUnderTest
{
    public static BncrOptions Bncr(this HostSettings settings) => BncrSettings.All.Read(new SettingsReader(settings.Source, settings.Facts));

    public static InstaClawOptions InstaClaw(this HostSettings settings) =>
        InstaClawSettings.All.Read(new SettingsReader(settings.Source, settings.Facts));
}
