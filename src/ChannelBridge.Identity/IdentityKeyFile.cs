namespace ChannelBridge.Identity;

/// <summary>Private keys in files: readable by their owner only, written in one step, never half there.</summary>
public static class IdentityKeyFile
{
    private const int MaxLength = 64 * 1024;
    private const string What = "key file";

    /// <summary>Reads a key.</summary>
    /// <exception cref="IdentityException">There is no such file, others may read it, or it holds no key that can be read.</exception>
    public static IdentityKey Read(string path, string? passphrase = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var text = PrivateFile.Read(path, What, MaxLength);
        try
        {
            return IdentityKey.FromPem(text, passphrase);
        }
        catch (IdentityException fault)
        {
            throw new IdentityException(fault.Fault, $"{path}: {fault.Message}", fault);
        }
    }

    /// <summary>Writes a key over whatever is there.</summary>
    /// <exception cref="IdentityException">The file can't be written.</exception>
    public static void Write(string path, IdentityKey key, string? passphrase = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(key);
        _ = PrivateFile.TryWrite(path, What, key.ToPem(passphrase), overwrite: true);
    }

    /// <summary>Reads a key, or makes one where there is no file. Of several processes that do so at once, all have the same key.</summary>
    /// <exception cref="IdentityException">As <see cref="Read"/> and <see cref="Write"/>.</exception>
    public static IdentityKey ReadOrCreate(string path, string? passphrase = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path)) return Read(path, passphrase);
        var made = IdentityKey.Create();
        if (PrivateFile.TryWrite(path, What, made.ToPem(passphrase), overwrite: false)) return made;
        made.Dispose();
        return Read(path, passphrase);
    }
}
