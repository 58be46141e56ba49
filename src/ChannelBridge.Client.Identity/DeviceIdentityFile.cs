using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ChannelBridge.Client.Devices;
using ChannelBridge.Identity;
using ChannelBridge.Protocol.OpenClaw;

namespace ChannelBridge.Client.Identity;

/// <summary>
/// A device identity in a file: an Ed25519 key and the tokens that one gateway issued to it. The file is readable by its owner only and written in one step; it is
/// read anew at every connect, so that processes which share it share its tokens. Safe for use by many threads.
/// </summary>
public sealed class DeviceIdentityFile : IDeviceIdentity, IDisposable
{
    private const int MaxLength = 256 * 1024;
    private const string What = "device identity";

    private readonly Lock _gate = new();
    private readonly IdentityKey _key;

    private DeviceIdentityFile(string path, IdentityKey key)
    {
        Path = path;
        _key = key;
    }

    /// <summary>Where the file is.</summary>
    public string Path { get; }

    /// <summary>The device's id, as operators see it: the SHA-256 of the public key, hex.</summary>
    public string DeviceId => DeviceProof.IdOf(_key.PublicKey.Span);

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> PublicKey => _key.PublicKey;

    /// <summary>Opens an identity, and makes it where there is no file. Of several processes that do so at once, all have the same key.</summary>
    /// <param name="path">The file; its folder is made, for its owner only, when it is missing.</param>
    /// <param name="passphrase">
    /// Encrypts the key in the file; null means that the file's owner alone protects it. The tokens aren't encrypted: without the key they are
    /// of no use.
    /// </param>
    /// <exception cref="IdentityException">The file can't be read or written, others may read it, it holds no key, or the passphrase is wrong.</exception>
    public static DeviceIdentityFile Open(string path, string? passphrase = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        path = System.IO.Path.GetFullPath(path);
        if (!File.Exists(path))
        {
            MakeFolder(path);
            var made = IdentityKey.Create();
            var text = Write(new DeviceFile { Version = DeviceFile.Current, PrivateKey = made.ToPem(passphrase) });
            if (PrivateFile.TryWrite(path, What, text, overwrite: false)) return new DeviceIdentityFile(path, made);
            made.Dispose();
        }

        try
        {
            return new DeviceIdentityFile(path, IdentityKey.FromPem(Read(path).PrivateKey, passphrase));
        }
        catch (IdentityException fault) when (!fault.Message.Contains(path, StringComparison.Ordinal))
        {
            throw new IdentityException(fault.Fault, $"{path}: {fault.Message}", fault);
        }
    }

    /// <summary>
    /// The file of an endpoint: <c>devices/HOST-….json</c> in <c>~/.channelbridge</c>, one for each gateway, so that none of them learns that this client knows another.
    /// </summary>
    /// <param name="endpoint">The endpoint, as in <see cref="ChannelBridgeClientOptions.Endpoint"/>.</param>
    public static string DefaultPath(string endpoint)
    {
        ArgumentException.ThrowIfNullOrEmpty(endpoint);
        // host:port is short for ws://host:port.
        var text = endpoint.Contains("://", StringComparison.Ordinal) ? endpoint : "ws://" + endpoint;
        var (name, identity) = Uri.TryCreate(text, UriKind.Absolute, out var address)
            ? (address.IdnHost, $"{address.IdnHost}:{address.Port}{address.AbsolutePath.TrimEnd('/')}")
            : ("gateway", text);
        name = new string([.. name.Select(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '-' ? letter : '-')]);
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(identity)))[..12];
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return System.IO.Path.Combine(home, ".channelbridge", "devices", $"{name}-{hash}.json");
    }

    /// <inheritdoc/>
    public ValueTask<byte[]> SignAsync(ReadOnlyMemory<byte> payload, CancellationToken cancellationToken) => ValueTask.FromResult(_key.Sign(payload.Span));

    /// <inheritdoc/>
    public ValueTask<DeviceToken?> ReadTokenAsync(string role, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(role);
        lock (_gate)
        {
            return ValueTask.FromResult(Read(Path).Tokens.TryGetValue(role, out var stored) ? new DeviceToken(role, stored.Token, stored.Scopes) : null);
        }
    }

    /// <inheritdoc/>
    public ValueTask WriteTokenAsync(DeviceToken token, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(token);
        Change(tokens =>
        {
            tokens[token.Role] = new StoredDeviceToken(token.Token, token.Scopes);
            return true;
        });
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask ForgetTokenAsync(DeviceToken token, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(token);
        Change(tokens => tokens.TryGetValue(token.Role, out var stored) && stored.Token == token.Token && tokens.Remove(token.Role));
        return ValueTask.CompletedTask;
    }

    /// <summary>Clears the key.</summary>
    public void Dispose() => _key.Dispose();

    private void Change(Func<Dictionary<string, StoredDeviceToken>, bool> change)
    {
        lock (_gate)
        {
            var file = Read(Path);
            if (change(file.Tokens)) _ = PrivateFile.TryWrite(Path, What, Write(file), overwrite: true);
        }
    }

    private static DeviceFile Read(string path)
    {
        var text = PrivateFile.Read(path, What, MaxLength);
        try
        {
            var file = JsonSerializer.Deserialize(text, DeviceFileJson.Default.DeviceFile) ?? throw new JsonException();
            return file.Version == DeviceFile.Current
                ? file
                : throw new IdentityException(IdentityFault.Unsupported, $"{path} was written by a later version ({file.Version})");
        }
        catch (JsonException fault)
        {
            // Not the parser's words: they may quote the text.
            throw new IdentityException(IdentityFault.Malformed, $"{path} is no device identity (line {fault.LineNumber + 1})");
        }
    }

    private static string Write(DeviceFile file) => JsonSerializer.Serialize(file, DeviceFileJson.Default.DeviceFile) + "\n";

    private static void MakeFolder(string path)
    {
        var folder = System.IO.Path.GetDirectoryName(path)!;
        try
        {
            if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
            else Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new IdentityException(IdentityFault.File, $"can't make the folder {folder}: {fault.Message}", fault);
        }
    }
}
