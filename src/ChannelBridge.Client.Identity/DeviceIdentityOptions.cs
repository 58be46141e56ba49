using ChannelBridge.Identity;

namespace ChannelBridge.Client.Identity;

/// <summary>Gives a client its device identity.</summary>
public static class DeviceIdentityOptions
{
    /// <summary>Opens the identity of the endpoint, made when it is missing, and sets it. Set <see cref="ChannelBridgeClientOptions.Endpoint"/> first.</summary>
    /// <param name="options">The options.</param>
    /// <param name="path">The file; null means <see cref="DeviceIdentityFile.DefaultPath"/>.</param>
    /// <param name="passphrase">As for <see cref="DeviceIdentityFile.Open"/>.</param>
    /// <returns>The identity, which lives as long as the client; dispose it afterwards.</returns>
    /// <exception cref="IdentityException">As for <see cref="DeviceIdentityFile.Open"/>.</exception>
    public static DeviceIdentityFile UseDeviceIdentity(this ChannelBridgeClientOptions options, string? path = null, string? passphrase = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var identity = DeviceIdentityFile.Open(path ?? DeviceIdentityFile.DefaultPath(options.Endpoint), passphrase);
        options.Identity = identity;
        return identity;
    }
}
